/* Writes the results of the message actions as JSON: what json-codec.ts would write, as bytes and
 * without a tree in between. What ids, digests and numbers are made of needs no escapes. */

import type { FailedEntry } from './batch.ts';
import type { JsonBytes } from './json-bytes.ts';
import { writeJson } from './json-codec.ts';
import type { ReceivedMessage } from './received-message.ts';
import type { SentBatch, SentMessage } from './sent-message.ts';
import type { ValueOf } from './shape.ts';
import * as shapes from './shapes.ts';

export function writeSent(message: SentMessage, to: JsonBytes): void {
  to.plain('{');
  writeSentFields(message, to);
  to.plain('}');
}

function writeSentFields(message: SentMessage, to: JsonBytes): void {
  to.plain('"MessageId":"');
  to.id(message.identified);
  to.plain('","MD5OfMessageBody":"');
  to.digest(message.bodyMd5);
  to.plain('"');
  const { MD5OfMessageAttributes, MD5OfMessageSystemAttributes, SequenceNumber } = message;
  if (MD5OfMessageAttributes !== undefined) {
    to.plain(`,"MD5OfMessageAttributes":"${MD5OfMessageAttributes}"`);
  }
  if (MD5OfMessageSystemAttributes !== undefined) {
    to.plain(`,"MD5OfMessageSystemAttributes":"${MD5OfMessageSystemAttributes}"`);
  }
  if (SequenceNumber !== undefined) to.plain(`,"SequenceNumber":"${SequenceNumber}"`);
}

export function writeSentBatch({ Successful, Failed }: SentBatch, to: JsonBytes): void {
  to.plain('{');
  if (Successful !== undefined) {
    to.plain('"Successful":[');
    let separator = '{"Id":"';
    for (const message of Successful) {
      to.plain(separator);
      to.plain(message.Id);
      to.plain('",');
      writeSentFields(message, to);
      separator = '},{"Id":"';
    }
    to.plain('}]');
  }
  writeFailed(Failed, Successful !== undefined, to);
  to.plain('}');
}

/** Of deletes and changes of visibility. */
export function writeIds(
  { Successful, Failed }: ValueOf<typeof shapes.DELETE_BATCH_RESULT>,
  to: JsonBytes,
): void {
  to.plain('{');
  if (Successful !== undefined) {
    let separator = '"Successful":[{"Id":"';
    for (const { Id } of Successful) {
      to.plain(separator);
      to.plain(Id);
      separator = '"},{"Id":"';
    }
    to.plain('"}]');
  }
  writeFailed(Failed, Successful !== undefined, to);
  to.plain('}');
}

function writeFailed(
  failed: readonly FailedEntry[] | undefined,
  followsOthers: boolean,
  to: JsonBytes,
): void {
  if (failed === undefined) return;
  to.plain(followsOthers ? ',"Failed":' : '"Failed":');
  to.raw(JSON.stringify(failed));
}

export function writeReceived(
  { Messages }: { readonly Messages?: readonly ReceivedMessage[] | undefined },
  to: JsonBytes,
): void {
  to.plain('{');
  if (Messages !== undefined) {
    let separator = '"Messages":[';
    for (const message of Messages) {
      to.plain(separator);
      writeMessage(message, to);
      separator = ',';
    }
    to.plain(']');
  }
  to.plain('}');
}

function writeMessage(message: ReceivedMessage, to: JsonBytes): void {
  const { Attributes, MessageAttributes, MD5OfMessageAttributes } = message;
  to.plain('{"MessageId":"');
  to.id(message.identified);
  to.plain('","ReceiptHandle":"');
  to.plain(message.ReceiptHandle);
  to.plain('","MD5OfBody":"');
  to.digest(message.bodyMd5);
  to.plain('","Body":');
  to.utf8(message.bodyBytes);
  if (Attributes !== undefined) {
    let separator = ',"Attributes":{"';
    for (const [name, value] of Attributes) {
      to.plain(separator);
      to.plain(name);
      to.plain('":');
      to.text(value);
      separator = ',"';
    }
    to.plain('}');
  }
  if (MD5OfMessageAttributes !== undefined) {
    to.plain(`,"MD5OfMessageAttributes":"${MD5OfMessageAttributes}"`);
  }
  if (MessageAttributes !== undefined) {
    to.plain(',"MessageAttributes":');
    to.raw(writeJson(shapes.MESSAGE_ATTRIBUTES, MessageAttributes));
  }
  to.plain('}');
}
