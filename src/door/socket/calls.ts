/* What is asked for now and then: queues, their attributes and counts, redrives. A CALL names a
 * method of this table; arguments and results are msgpack values of any shape. */

import { BrokerError } from '../../base/errors.ts';
import { BATCH_ENTRIES_MAX, MOVE_RATE_MAX, QUEUES_LISTED_MAX } from '../../base/limits.ts';
import type { QueueService } from '../../broker/service.ts';
import type { QueueAttributes, QueueDefinition } from '../../command/queue-definition.ts';
import { COLD_FRAME_BYTES_MAX, FRAME, malformed } from '../../wire/frame.ts';
import type { FrameReader } from '../../wire/frame-reader.ts';
import { FrameWriter } from '../../wire/frame-writer.ts';
import { asBrokerError, encodeDeliveries } from './encoded-service.ts';
import type { Session } from './session.ts';

const METHOD_CHARS_MAX = 64;
/** Of an array of up to 65,535 values. */
const LIST_HEAD_BYTES = 3;

function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

/** The arguments of one call, taken by name. */
class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  #optional(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  optionalText(name: string): string | undefined {
    const value = this.#optional(name);
    if (value === undefined || typeof value === 'string') return value;
    throw invalid(`${name} is a text.`);
  }

  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw invalid(`${name} is missing.`);
    return value;
  }

  optionalWhole(name: string, min: number, max: number): number | undefined {
    const value = this.#optional(name);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) {
      return Number(value);
    }
    throw invalid(`${name} is a whole number from ${min} to ${max}.`);
  }

  whole(name: string, min: number, max: number): number {
    const value = this.optionalWhole(name, min, max);
    if (value === undefined) throw invalid(`${name} is missing.`);
    return value;
  }

  texts(name: string): string[] {
    const value = this.#optional(name) ?? [];
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw invalid(`${name} is a list of texts.`);
  }

  map(name: string): Readonly<Record<string, unknown>> {
    const value = this.#optional(name) ?? {};
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    throw invalid(`${name} is a map.`);
  }

  textMap(name: string): Readonly<Record<string, string>> {
    const map = this.map(name);
    if (Object.values(map).every((value) => typeof value === 'string')) {
      return map as Record<string, string>;
    }
    throw invalid(`${name} is a map of texts.`);
  }

  /** Attributes of a queue; one that is nil takes its default. */
  attributes(name: string): Partial<QueueAttributes> {
    const entries = Object.entries(this.map(name));
    return Object.fromEntries(entries.map(([key, value]) => [key, value ?? undefined]));
  }

  queue(service: QueueService): QueueDefinition {
    const name = this.text('queue');
    const queue = service.findQueue(name);
    if (queue !== undefined) return queue;
    throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', `There is no queue "${name}".`);
  }
}

type Method = (service: QueueService, args: Arguments) => unknown;

const METHODS: Readonly<Record<string, Method>> = {
  createQueue: (service, args) =>
    service.createQueue(args.text('queue'), args.attributes('attributes'), args.textMap('tags')),
  setAttributes: (service, args) =>
    service.setAttributes(args.text('queue'), args.attributes('attributes')),
  setTags: (service, args) =>
    service.setTags(args.text('queue'), args.textMap('add'), args.texts('remove')),
  deleteQueue: (service, args) => service.deleteQueue(args.text('queue')),
  findQueue: (service, args) => service.findQueue(args.text('queue')),
  listQueues: (service, args) =>
    firstThatFit(
      service.listQueues({
        prefix: args.optionalText('prefix'),
        max: args.whole('max', 1, QUEUES_LISTED_MAX),
        after: args.optionalText('after'),
      }),
    ),
  listDeadLetterSources: (service, args) => service.listDeadLetterSources(args.text('queue')),
  purge: (service, args) => service.purge(args.queue(service)),
  counts: (service, args) => service.counts(args.queue(service)),
  oldestSentAtMs: (service, args) => service.oldestSentAtMs(args.queue(service)),
  startMoveTask: (service, args) =>
    service.startMoveTask(
      args.text('source'),
      args.optionalText('destination'),
      args.optionalWhole('messagesPerSecondMax', 1, MOVE_RATE_MAX),
    ),
  listMoveTasks: (service, args) =>
    service.listMoveTasks(args.text('source'), args.whole('max', 1, 1000)),
  cancelMoveTask: (service, args) => service.cancelMoveTask(args.text('taskId')),
};

/** As many of the first queues as one answer holds; that is one at least. */
function firstThatFit(queues: readonly QueueDefinition[]): readonly QueueDefinition[] {
  const measure = new FrameWriter(COLD_FRAME_BYTES_MAX);
  const past = queues.findIndex((queue) => {
    measure.value(queue);
    return measure.length > COLD_FRAME_BYTES_MAX - LIST_HEAD_BYTES;
  });
  return past < 0 ? queues : queues.slice(0, Math.max(1, past));
}

/** A result as msgpack. A client would close the connection over one that is longer. */
function resultBytes(value: unknown): Uint8Array {
  const writer = new FrameWriter(1024);
  writer.value(value ?? null);
  if (writer.length <= COLD_FRAME_BYTES_MAX) return writer.written;
  throw new BrokerError(
    'CAPSTAN_UNSUPPORTED_OPERATION',
    `The answer has ${writer.length} bytes; over this protocol it has at most ` +
      `${COLD_FRAME_BYTES_MAX}. Ask over plain HTTP.`,
  );
}

/** The one call that is answered with messages. */
const PEEK = 'peek';

export function call(session: Session, reader: FrameReader): void {
  const correlation = session.request(reader);
  const name = reader.string(METHOD_CHARS_MAX);
  const values = reader.value();
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw malformed('The arguments of a call are a map.');
  }
  void run(session, correlation, name, new Arguments(values as Record<string, unknown>));
}

async function run(
  session: Session,
  correlation: number,
  name: string,
  args: Arguments,
): Promise<void> {
  const { service } = session;
  try {
    if (name === PEEK) {
      const queue = args.queue(service);
      const messages = await service.peek(queue, args.whole('max', 1, BATCH_ENTRIES_MAX));
      const bytes = encodeDeliveries(service, messages, false);
      const count = messages.length;
      session.writeMessages(FRAME.MESSAGES, correlation, bytes, 0, bytes.length, count);
      return;
    }
    if (!Object.hasOwn(METHODS, name)) throw invalid(`There is no method "${name}".`);
    const result = resultBytes(await METHODS[name]!(service, args));
    if (!session.closed) session.answer(FRAME.RESULT, 3, correlation).raw(result);
  } catch (error) {
    if (!session.closed) session.fail(correlation, asBrokerError(error));
  }
}
