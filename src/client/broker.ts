/* A broker, as its users see it: the same object whether it is embedded or remote. */

import { Queue } from './queue.ts';
import type { Transport } from './transport.ts';
import type {
  AttributeChanges,
  BrokerState,
  ListQueuesOptions,
  MoveTask,
  QueueDefinition,
  StateListener,
} from './types.ts';

const MOVE_TASKS_MAX_DEFAULT = 10;

export interface RedriveOptions {
  /** Undefined: each message goes back to the queue it came from. */
  readonly destination?: string | undefined;
  readonly messagesPerSecondMax?: number | undefined;
}

export class Broker {
  readonly #transport: Transport;
  readonly #queues = new Map<string, Queue>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get state(): BrokerState {
    return this.#transport.state;
  }

  /** Calls `listener` at every change of the state. Returns a function that removes it. */
  onStateChange(listener: StateListener): () => void {
    return this.#transport.onStateChange(listener);
  }

  /** The queue of that name; whether it exists shows when it is used. */
  queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new Queue(name, this.#transport);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Idempotent for equal attributes, else rejects CAPSTAN_QUEUE_NAME_EXISTS. Attributes that are
   *  left out have their defaults. */
  async createQueue(
    name: string,
    attributes: AttributeChanges = {},
    tags: Readonly<Record<string, string>> = {},
  ): Promise<Queue> {
    await this.#transport.calls.createQueue(name, attributes, tags);
    return this.queue(name);
  }

  /** With all of its messages. */
  async deleteQueue(name: string): Promise<void> {
    await this.#transport.calls.deleteQueue(name);
    this.#queues.delete(name);
  }

  /** Sorted by name. */
  listQueues(options: ListQueuesOptions = {}): Promise<QueueDefinition[]> {
    return this.#transport.calls.listQueues(options);
  }

  /** Moves the messages of a dead-letter queue, in the background. */
  redrive(source: string, options: RedriveOptions = {}): Promise<MoveTask> {
    const { destination, messagesPerSecondMax } = options;
    return this.#transport.calls.startMoveTask(source, destination, messagesPerSecondMax);
  }

  /** The newest first. */
  listRedrives(source: string, max = MOVE_TASKS_MAX_DEFAULT): Promise<MoveTask[]> {
    return this.#transport.calls.listMoveTasks(source, max);
  }

  cancelRedrive(taskId: string): Promise<MoveTask> {
    return this.#transport.calls.cancelMoveTask(taskId);
  }

  /** Ends everything that is under way. Idempotent. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
