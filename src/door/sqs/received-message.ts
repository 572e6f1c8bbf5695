/* A message as ReceiveMessage gives it: what is asked for of it is made then, and as JSON its ids,
 * its digest and its body never become texts. */

import { isUtf8 } from 'node:buffer';
import type { DeliveredMessage } from '../../broker/service.ts';
import type { Identified } from './json-bytes.ts';
import { digestHex, md5Digest } from './md5.ts';
import type * as shapes from './shapes.ts';

type Shape = shapes.ReceivedMessage;

/** What a receive has asked for beyond the message itself. */
export type Extras = Pick<Shape, 'Attributes' | 'MD5OfMessageAttributes' | 'MessageAttributes'>;

export class ReceivedMessage implements Shape {
  readonly Attributes: Shape['Attributes'];
  readonly MD5OfMessageAttributes: Shape['MD5OfMessageAttributes'];
  readonly MessageAttributes: Shape['MessageAttributes'];
  /** What the receiver sees as the body, in UTF-8. One that came through another door can be no
   *  text; then these are not the bytes that were sent. */
  readonly bodyBytes: Uint8Array;
  readonly #message: DeliveredMessage;
  readonly #isText: boolean;

  constructor(message: DeliveredMessage, extras: Extras) {
    this.#message = message;
    this.Attributes = extras.Attributes;
    this.MD5OfMessageAttributes = extras.MD5OfMessageAttributes;
    this.MessageAttributes = extras.MessageAttributes;
    const { body } = message;
    this.#isText = isUtf8(body);
    this.bodyBytes = this.#isText ? body : Buffer.from(message.text(), 'utf8');
  }

  get identified(): Identified {
    return this.#message;
  }

  get bodyMd5(): Uint8Array {
    return (this.#isText ? this.#message.md5 : undefined) ?? md5Digest(this.bodyBytes);
  }

  get MessageId(): string {
    return this.#message.messageId;
  }

  get ReceiptHandle(): string {
    return this.#message.receiptHandle;
  }

  get MD5OfBody(): string {
    return digestHex(this.bodyMd5);
  }

  get Body(): string {
    return this.#message.text();
  }
}
