/* A message that was accepted, as the result of its sending: what is asked for of it is made then,
 * and as JSON its ids and digests never become texts. */

import type { SendOutcome } from '../../broker/service.ts';
import type { OutgoingMessage } from '../../command/message-entry.ts';
import type { FailedEntry } from './batch.ts';
import type { Identified } from './json-bytes.ts';
import { digestHex } from './md5.ts';
import type * as shapes from './shapes.ts';

/** A message that has passed its checks. */
export interface CheckedMessage {
  readonly outgoing: OutgoingMessage & { readonly md5: Uint8Array };
  /** As SQS counts: body and attributes. */
  readonly bytes: number;
  readonly attributesMd5: string | undefined;
  readonly systemAttributesMd5: string | undefined;
}

export class SentMessage implements shapes.SendResult {
  /** Of its entry in a batch; empty: it was sent alone. */
  readonly Id: string;
  readonly #message: CheckedMessage;
  readonly #outcome: SendOutcome;
  readonly #fifo: boolean;

  constructor(Id: string, message: CheckedMessage, outcome: SendOutcome, fifo: boolean) {
    this.Id = Id;
    this.#message = message;
    this.#outcome = outcome;
    this.#fifo = fifo;
  }

  get identified(): Identified {
    return this.#outcome;
  }

  get bodyMd5(): Uint8Array {
    return this.#message.outgoing.md5;
  }

  get MessageId(): string {
    return this.#outcome.messageId;
  }

  get MD5OfMessageBody(): string {
    return digestHex(this.bodyMd5);
  }

  get MD5OfMessageAttributes(): string | undefined {
    return this.#message.attributesMd5;
  }

  get MD5OfMessageSystemAttributes(): string | undefined {
    return this.#message.systemAttributesMd5;
  }

  get SequenceNumber(): string | undefined {
    return this.#fifo ? sequenceText(this.#outcome.sequenceNumber) : undefined;
  }
}

export interface SentBatch {
  readonly Successful?: readonly SentMessage[] | undefined;
  readonly Failed?: readonly FailedEntry[] | undefined;
}

/** FIFO sequence numbers have 20 digits, so that they also sort as texts. */
export function sequenceText(sequenceNumber: number): string {
  return `1${String(sequenceNumber).padStart(19, '0')}`;
}
