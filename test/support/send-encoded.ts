/* A send of messages that are encoded already, as a door has them from a WebSocket, with the
 * outcomes that a send of objects has. */

import { assert } from '../../src/base/assert.ts';
import { errorCodeOf, NO_ERROR } from '../../src/base/errors.ts';
import type { EncodedSender } from '../../src/broker/encoded-sender.ts';
import type { EntryBlock, EntrySink } from '../../src/broker/native-service.ts';
import type { SendOutcome } from '../../src/broker/service.ts';
import * as codec from '../../src/command/command-codec.ts';
import {
  encodeEntry,
  entryBytesBound,
  MESSAGE_ID_BYTES,
  type OutgoingMessage,
} from '../../src/command/message-entry.ts';
import { AcceptedMessage, messageIdText } from '../../src/command/message-id.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';

/** The router writes the ids. */
const NO_ID = new Uint8Array(MESSAGE_ID_BYTES);

export function sendEncoded(
  sender: Pick<EncodedSender, 'send'>,
  queue: QueueDefinition,
  messages: readonly OutgoingMessage[],
): Promise<SendOutcome[]> {
  const block = encodeBlock(messages);
  return new Promise((resolve, reject) => {
    let hasEnded = false;
    const end = (): void => {
      assert(!hasEnded, 'a send has ended twice');
      hasEnded = true;
    };
    const sink: EntrySink = {
      onSent: (firstId, firstSequence) => {
        end();
        const id = firstId.slice();
        resolve(messages.map((_, i) => new AcceptedMessage(id, i, firstSequence + i)));
      },
      onSentEach: (results) => {
        end();
        resolve(messages.map((_, i) => outcomeOf(results, i * codec.SEND_RESULT_BYTES)));
      },
      onFailure: (error) => {
        end();
        reject(error);
      },
    };
    sender.send(queue, block, sink);
    // It was lent for the length of the call.
    block.buffer.fill(0xee);
  });
}

function encodeBlock(messages: readonly OutgoingMessage[]): EntryBlock {
  const bytes = messages.reduce((sum, message) => sum + entryBytesBound(message), 0);
  const buffer = Buffer.alloc(bytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, bytes);
  let length = 0;
  for (const message of messages) length = encodeEntry(message, NO_ID, buffer, view, length);
  const keyed = messages.some(({ groupId }) => groupId !== undefined);
  return { buffer, view, at: 0, length, count: messages.length, keyed };
}

function outcomeOf(results: Uint8Array, at: number): SendOutcome {
  const error = results[at]!;
  const view = new DataView(results.buffer, results.byteOffset);
  return {
    error: error === NO_ERROR ? undefined : errorCodeOf(error),
    messageId: messageIdText(results, at + codec.SEND_RESULT_ID_AT),
    sequenceNumber: view.getFloat64(at + codec.SEND_RESULT_SEQUENCE_AT, true),
  };
}
