/* The official SDK's client, which notes in a ledger what each of its calls asked and was answered.
 * Whoever uses it, `sqs-consumer` say, knows nothing of that. */

import {
  type DeleteMessageBatchCommandInput,
  type DeleteMessageBatchCommandOutput,
  type DeleteMessageCommandInput,
  type ReceiveMessageCommandInput,
  type ReceiveMessageCommandOutput,
  type SendMessageBatchCommandInput,
  type SendMessageBatchCommandOutput,
  type SendMessageCommandInput,
  type SendMessageCommandOutput,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { contentOf, type Ledger, machineMs } from './ledger.ts';

/** Longer than any long poll; a server that was stopped by a signal must not hold a client. */
const REQUEST_TIMEOUT_MS = 25_000;

export function sqsClient(url: string): SQSClient {
  return new SQSClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    maxAttempts: 3,
    requestHandler: { requestTimeout: REQUEST_TIMEOUT_MS, throwOnRequestTimeout: true },
  });
}

/** Notes on behalf of one consumer or producer, `name`. */
class Recorder {
  readonly #ledger: Ledger;
  readonly #name: string;
  readonly #visibilityMs: number;
  readonly #messageOf = new Map<string, string>();

  constructor(ledger: Ledger, name: string, visibilityMs: number) {
    this.#ledger = ledger;
    this.#name = name;
    this.#visibilityMs = visibilityMs;
  }

  /** What the call is about to ask. */
  readonly before: Readonly<Record<string, (input: never) => void>> = {
    SendMessageCommand: (input: SendMessageCommandInput) => this.#sending(input.MessageBody!),
    SendMessageBatchCommand: (input: SendMessageBatchCommandInput) => {
      for (const entry of input.Entries!) this.#sending(entry.MessageBody!);
    },
    DeleteMessageCommand: (input: DeleteMessageCommandInput) =>
      this.#deleting(input.ReceiptHandle!),
    DeleteMessageBatchCommand: (input: DeleteMessageBatchCommandInput) => {
      for (const entry of input.Entries!) this.#deleting(entry.ReceiptHandle!);
    },
  };

  /** What was answered to a call that was begun at `from`. */
  readonly after: Readonly<Record<string, (input: never, output: never, from: number) => void>> = {
    SendMessageCommand: (
      input: SendMessageCommandInput,
      output: SendMessageCommandOutput,
      from: number,
    ) => this.#sent(input.MessageBody!, output.MessageId!, from),
    SendMessageBatchCommand: (
      input: SendMessageBatchCommandInput,
      output: SendMessageBatchCommandOutput,
      from: number,
    ) => {
      const bodies = new Map(input.Entries!.map((each) => [each.Id, each.MessageBody!]));
      for (const { Id, MessageId } of output.Successful ?? []) {
        this.#sent(bodies.get(Id)!, MessageId!, from);
      }
    },
    ReceiveMessageCommand: (
      input: ReceiveMessageCommandInput,
      output: ReceiveMessageCommandOutput,
      from: number,
    ) => this.#received(input, output, from),
    DeleteMessageCommand: (input: DeleteMessageCommandInput, _: unknown, from: number) =>
      this.#deleted(input.ReceiptHandle!, from),
    DeleteMessageBatchCommand: (
      input: DeleteMessageBatchCommandInput,
      output: DeleteMessageBatchCommandOutput,
      from: number,
    ) => {
      const handles = new Map(input.Entries!.map((each) => [each.Id, each.ReceiptHandle!]));
      for (const { Id } of output.Successful ?? []) this.#deleted(handles.get(Id)!, from);
    },
  };

  #sending(body: string): void {
    this.#ledger.note({ kind: 'sending', at: machineMs(), ...contentOf(body) });
  }

  #sent(body: string, messageId: string, from: number): void {
    this.#ledger.note({ kind: 'sent', messageId, from, to: machineMs(), ...contentOf(body) });
  }

  #received(
    input: ReceiveMessageCommandInput,
    output: ReceiveMessageCommandOutput,
    from: number,
  ): void {
    const timeout = input.VisibilityTimeout;
    const visibilityMs = timeout === undefined ? this.#visibilityMs : timeout * 1000;
    for (const message of output.Messages ?? []) {
      this.#messageOf.set(message.ReceiptHandle!, message.MessageId!);
      this.#ledger.note({
        kind: 'received',
        messageId: message.MessageId!,
        consumer: this.#name,
        receiveCount: Number(message.Attributes?.ApproximateReceiveCount ?? 0),
        visibilityMs,
        from,
        // Each a little later than the one before: the order within a batch counts, too.
        to: machineMs(),
        ...contentOf(message.Body!),
      });
    }
  }

  #deleting(handle: string): void {
    const messageId = this.#messageOf.get(handle)!;
    this.#ledger.note({ kind: 'deleting', messageId, at: machineMs() });
  }

  #deleted(handle: string, from: number): void {
    const messageId = this.#messageOf.get(handle)!;
    this.#messageOf.delete(handle);
    this.#ledger.note({ kind: 'deleted', messageId, from, to: machineMs() });
  }
}

/** `visibilityMs` is the queue's, for receives that do not say. */
export function recordingSqsClient(
  url: string,
  ledger: Ledger,
  name: string,
  visibilityMs: number,
): SQSClient {
  const client = sqsClient(url);
  const recorder = new Recorder(ledger, name, visibilityMs);
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const command = context.commandName ?? '';
      recorder.before[command]?.(args.input as never);
      const from = machineMs();
      const result = await next(args);
      recorder.after[command]?.(args.input as never, result.output as never, from);
      return result;
    },
    { step: 'initialize', name: 'recordInLedger', priority: 'high' },
  );
  return client;
}
