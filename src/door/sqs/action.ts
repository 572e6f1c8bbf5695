/* What an action is: a row of shapes, and one function that knows nothing of the protocols. */

import type { Settle } from '../../base/settle.ts';
import type { QueueService } from '../../broker/service.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { Cancellable } from '../http.ts';
import type { JsonBytes } from './json-bytes.ts';
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
  /** Calls `pending` off when the client goes away before it is answered. */
  onGone(pending: Cancellable): void;
}

interface ActionShapes<Input extends StructShape, Output extends StructShape> {
  readonly name: string;
  readonly input: Input;
  readonly output: Output;
}

/** @typeParam Result what the output is made of, where more is known of it than its shape. */
export interface Action<
  Input extends StructShape = StructShape,
  Output extends StructShape = StructShape,
  Result extends ValueOf<Output> = ValueOf<Output>,
> extends ActionShapes<Input, Output> {
  /** Writes the result as JSON; by default json-codec.ts does. */
  readonly writeJson?: ((result: Result, to: JsonBytes) => void) | undefined;
  /** What the result is where text can only have the characters of XML. */
  readonly forXml?: (result: Result) => ValueOf<Output>;
  /** Tells `result`, at once or later, or throws. */
  start(context: SqsContext, input: ValueOf<Input>, caller: Caller, result: Settle<Result>): void;
}

interface Row<Input extends StructShape, Output extends StructShape>
  extends ActionShapes<Input, Output> {
  readonly writeJson?: Action<Input, Output>['writeJson'];
  /** A result that needs no waiting may come without a promise. */
  run(
    context: SqsContext,
    input: ValueOf<Input>,
    caller: Caller,
  ): ValueOf<Output> | Promise<ValueOf<Output>>;
}

/** Ties the types of a row together, then forgets them: the table of actions holds any. */
export function action<Input extends StructShape, Output extends StructShape>(
  row: Row<Input, Output>,
): Action {
  return hotAction<Input, Output, ValueOf<Output>>({
    ...row,
    start(context, input, caller, result) {
      const output = row.run(context, input, caller);
      if (output instanceof Promise) {
        output.then(
          (value) => result.resolve(value),
          (error: unknown) => result.reject(error),
        );
      } else {
        result.resolve(output);
      }
    },
  });
}

/** An action that is called so often that a promise would be felt. */
export function hotAction<
  Input extends StructShape,
  Output extends StructShape,
  Result extends ValueOf<Output>,
>(row: Action<Input, Output, Result>): Action {
  return row as unknown as Action;
}

/** The end of a call of the broker, which becomes that of an action. */
export abstract class Ending<T, Result> implements Settle<T> {
  readonly #result: Settle<Result>;

  constructor(result: Settle<Result>) {
    this.#result = result;
  }

  /** What it throws is what the action fails with. */
  protected abstract resultOf(value: T): Result;

  resolve(value: T): void {
    let result: Result;
    try {
      result = this.resultOf(value);
    } catch (error) {
      this.reject(error);
      return;
    }
    this.#result.resolve(result);
  }

  reject(error: unknown): void {
    this.#result.reject(error);
  }
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
