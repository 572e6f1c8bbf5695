"""A Celery application on kombu's SQS transport, for `celery worker` and for the producer below.
Environment: CAPSTAN_PORT, and DONE_FILE, to which each task appends its number."""

import os
import sys

from celery import Celery

app = Celery("tasks", broker=f"sqs://test:test@127.0.0.1:{os.environ['CAPSTAN_PORT']}")
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "wait_time_seconds": 1,
        "polling_interval": 0.05,
        # What a killed server had handed out comes back soon.
        "visibility_timeout": 5,
    },
    broker_connection_retry_on_startup=True,
    task_default_queue="celery-tasks",
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=10,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)


@app.task(name="note")
def note(number):
    with open(os.environ["DONE_FILE"], "a", encoding="ascii") as done:
        done.write(f"{number}\n")


if __name__ == "__main__":
    # Sends the tasks `first` up to `last`; what is sent is acknowledged, or this fails.
    retries = {"max_retries": 50, "interval_max": 0.5}
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        note.apply_async((number,), retry=True, retry_policy=retries)
