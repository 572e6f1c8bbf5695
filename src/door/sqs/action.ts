/* What an action is: a row of shapes, and one function that knows nothing of the protocols. */

import type { QueueService } from '../../broker/service.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import type { DoorCounters } from '../door-counters.ts';
import { type QueueAddresses, queueNameOfUrl } from './queue-address.ts';
import type { StructShape, ValueOf } from './shape.ts';
import { SqsError } from './sqs-errors.ts';

/** What stays the same from request to request. */
export interface SqsContext {
  readonly service: QueueService;
  readonly addresses: QueueAddresses;
  readonly account: string;
  readonly counters: DoorCounters | undefined;
}

/** What an action may ask of its request. */
export interface Caller {
  /** The `Host` header. */
  readonly host: string;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface Action<
  Input extends StructShape = StructShape,
  Output extends StructShape = StructShape,
> {
  readonly name: string;
  readonly input: Input;
  readonly output: Output;
  /** Writes the result as JSON; by default json-codec.ts does. */
  readonly writeJson?: (result: ValueOf<Output>) => string;
  /** What the result is where text can only have the characters of XML. */
  readonly forXml?: (result: ValueOf<Output>) => ValueOf<Output>;
  /** A result that needs no waiting may come without a promise. */
  run(
    context: SqsContext,
    input: ValueOf<Input>,
    caller: Caller,
  ): ValueOf<Output> | Promise<ValueOf<Output>>;
}

/** Ties the types of a row together, then forgets them: the table of actions holds any. */
export function action<Input extends StructShape, Output extends StructShape>(
  row: Action<Input, Output>,
): Action {
  return row;
}

export function requireQueue(
  { service }: Pick<SqsContext, 'service'>,
  queueUrl: string,
): QueueDefinition {
  return requireNamed(service, queueNameOfUrl(queueUrl));
}

export function requireNamed(service: QueueService, name: string): QueueDefinition {
  const queue = service.findQueue(name);
  if (queue !== undefined) return queue;
  throw new SqsError('QueueDoesNotExist', 'The specified queue does not exist.');
}
