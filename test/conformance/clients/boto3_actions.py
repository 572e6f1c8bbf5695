"""Every action of the SQS API that this boto3 has, over whichever protocol it speaks (AWS Query
before 1.28.81). Usage: boto3_actions.py ENDPOINT. Ends with 0 when everything was as it should be,
and prints the protocol."""

import hashlib
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sqs = boto3.client(
    "sqs",
    endpoint_url=sys.argv[1],
    region_name="us-west-2",
    aws_access_key_id="test",
    aws_secret_access_key="test",
    config=Config(retries={"max_attempts": 0}),
)


def fails(code, status, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return error
    raise AssertionError(f"no {code}")


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def attributes_of(url, *names):
    asked = list(names) or ["All"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]


def queues():
    url = sqs.create_queue(
        QueueName="boto", Attributes={"VisibilityTimeout": "60"}, tags={"team": "a&b"}
    )["QueueUrl"]
    assert url == f"{sys.argv[1]}/000000000000/boto", url
    assert sqs.get_queue_url(QueueName="boto")["QueueUrl"] == url
    assert sqs.list_queues(QueueNamePrefix="bo")["QueueUrls"] == [url]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nothing")
    changes = {"DelaySeconds": "0", "MaximumMessageSize": "2048"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
    found = attributes_of(url)
    assert found["MaximumMessageSize"] == "2048" and found["VisibilityTimeout"] == "60", found
    assert attributes_of(url, "QueueArn") == {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:boto"}
    sqs.tag_queue(QueueUrl=url, Tags={"stage": "<test>"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a&b", "stage": "<test>"}
    sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"stage": "<test>"}
    actions = ["SendMessage", "ReceiveMessage"]
    sqs.add_permission(
        QueueUrl=url, Label="share", AWSAccountIds=["123456789012"], Actions=actions
    )
    policy = json.loads(attributes_of(url, "Policy")["Policy"])
    assert policy["Statement"][0]["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"], policy
    sqs.remove_permission(QueueUrl=url, Label="share")
    for name in ["p1", "p2", "p3"]:
        sqs.create_queue(QueueName=name)
    page = sqs.list_queues(QueueNamePrefix="p", MaxResults=2)
    rest = sqs.list_queues(QueueNamePrefix="p", MaxResults=2, NextToken=page["NextToken"])
    assert len(page["QueueUrls"]) == 2 and len(rest["QueueUrls"]) == 1 and "NextToken" not in rest
    return url


def messages(url):
    body = "tab\t line\n return\r & <tag> \"quoted\" 'single' ünïcödé \U0001f600 "
    attributes = {
        "text": {"DataType": "String", "StringValue": "Grüße & <Co>"},
        "number": {"DataType": "Number", "StringValue": "3.14"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-a-b;Sampled=1"}}
    sent = sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageAttributes=attributes, MessageSystemAttributes=trace
    )
    assert sent["MD5OfMessageBody"] == md5(body), sent
    received = sqs.receive_message(
        QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )["Messages"]
    assert len(received) == 1
    message = received[0]
    assert message["Body"] == body, message["Body"]
    assert message["MD5OfBody"] == md5(body)
    assert message["MessageId"] == sent["MessageId"]
    assert message["MessageAttributes"] == attributes, message
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-a-b;Sampled=1", message
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    receipt = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(VisibilityTimeout=0, **receipt)
    names = ["nu.*", "by.*", "text"]
    again = sqs.receive_message(QueueUrl=url, MessageAttributeNames=names, WaitTimeSeconds=5)
    assert set(again["Messages"][0]["MessageAttributes"]) == {"text"}, again
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["Messages"][0]["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def batches(url):
    entries = [{"Id": f"m{i}", "MessageBody": f"body {i}", "DelaySeconds": 0} for i in range(10)]
    entries[3]["MessageBody"] = "x" * 2049
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(sent["Successful"]) == 9, sent
    assert sent["Failed"][0]["Id"] == "m3" and sent["Failed"][0]["SenderFault"] is True, sent
    assert sent["Failed"][0]["Code"] == "InvalidParameterValue", sent
    receipts = []
    while len(receipts) < 9:
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        receipts += [message["ReceiptHandle"] for message in received["Messages"]]
    handles = [{"Id": f"r{i}", "ReceiptHandle": receipt} for i, receipt in enumerate(receipts)]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{**handle, "VisibilityTimeout": 100} for handle in handles]
    )
    assert len(changed["Successful"]) == 9, changed
    handles.append({"Id": "forged", "ReceiptHandle": "forged"})
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=handles)
    assert len(deleted["Successful"]) == 9, deleted
    assert deleted["Failed"][0]["Code"] == "ReceiptHandleIsInvalid", deleted
    sqs.send_message(QueueUrl=url, MessageBody="to be purged")
    sqs.purge_queue(QueueUrl=url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def ordered():
    url = sqs.create_queue(
        QueueName="boto.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    first = sqs.send_message(QueueUrl=url, MessageBody="one", MessageGroupId="g")
    second = sqs.send_message(QueueUrl=url, MessageBody="one", MessageGroupId="g")
    assert first["MessageId"] == second["MessageId"]
    assert first["SequenceNumber"] == second["SequenceNumber"]
    received = sqs.receive_message(
        QueueUrl=url,
        AttributeNames=["MessageGroupId"],
        ReceiveRequestAttemptId="a1",
        WaitTimeSeconds=5,
    )
    assert [m["Attributes"] for m in received["Messages"]] == [{"MessageGroupId": "g"}], received
    fails("MissingParameter", 400, sqs.send_message, QueueUrl=url, MessageBody="x")


def dead_letters():
    dead = sqs.create_queue(QueueName="boto-dead")["QueueUrl"]
    arn = attributes_of(dead, "QueueArn")["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
    url = sqs.create_queue(
        QueueName="boto-source", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    )["QueueUrl"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    assert sqs.list_dead_letter_source_queues(QueueUrl=url).get("queueUrls", []) == []
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5)["Messages"][0]["Body"] == "poison"
    if hasattr(sqs, "start_message_move_task"):
        sqs.start_message_move_task(SourceArn=arn)
        sqs.list_message_move_tasks(SourceArn=arn)


def errors(url):
    missing = "AWS.SimpleQueueService.NonExistentQueue"
    error = fails(missing, 400, sqs.get_queue_url, QueueName="no-such-queue")
    assert isinstance(error, sqs.exceptions.QueueDoesNotExist)
    other = {"QueueName": "boto", "Attributes": {"DelaySeconds": "9"}}
    fails("QueueAlreadyExists", 400, sqs.create_queue, **other)
    names = {"QueueUrl": url, "AttributeNames": ["Nothing"]}
    fails("InvalidAttributeName", 400, sqs.get_queue_attributes, **names)
    fails("InvalidParameterValue", 400, sqs.send_message, QueueUrl=url, MessageBody="x" * 2049)
    receipt = {"QueueUrl": url, "ReceiptHandle": "forged"}
    fails("ReceiptHandleIsInvalid", 404, sqs.delete_message, **receipt)
    empty = "AWS.SimpleQueueService.EmptyBatchRequest"
    fails(empty, 400, sqs.delete_message_batch, QueueUrl=url, Entries=[])
    same = [{"Id": "a", "MessageBody": "x"}] * 2
    twice = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
    fails(twice, 400, sqs.send_message_batch, QueueUrl=url, Entries=same)
    sqs.delete_queue(QueueUrl=url)
    fails(missing, 400, sqs.send_message, QueueUrl=url, MessageBody="x")


url = queues()
messages(url)
batches(url)
ordered()
dead_letters()
errors(url)
print(sqs.meta.service_model.metadata["protocol"])
