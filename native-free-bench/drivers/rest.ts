/* Plain HTTP, as for curl: a body is a message, a batch is JSON, and deletions come one by one. */

import { sequenceOfText } from '../harness/bodies.ts';
import { requestText } from '../harness/http-connection.ts';
import { type DriverOptions, NOTHING, type OpenDriver } from './driver.ts';
import { driveHttp, type HttpProtocol, requireOk } from './http-lanes.ts';

interface ReceivedJson {
  readonly messages: readonly { readonly body: string; readonly receiptHandle: string }[];
}

interface SentBatchJson {
  readonly results: readonly { readonly error?: unknown }[];
}

function protocolOf(options: DriverOptions): HttpProtocol {
  const { batch, waitMs } = options;
  const url = `${options.url}/v1/queues/${options.queue}`;
  const text = (method: string, path: string, body: string): string =>
    requestText(method, url + path, {}, body);
  return {
    sendText: (bodies) =>
      batch === 1
        ? text('POST', '/messages', bodies[0]!)
        : text(
            'POST',
            '/messages/batch',
            JSON.stringify({ messages: bodies.map((body) => ({ body })) }),
          ),
    readSent: (answer) => {
      requireOk(answer);
      if (batch === 1) return;
      const { results } = JSON.parse(answer.body.toString('latin1')) as SentBatchJson;
      if (results.some(({ error }) => error !== undefined)) throw new Error('Refused.');
    },
    receiveText: (max) => text('POST', `/receive?max=${max}&waitMs=${waitMs}`, ''),
    readReceived: (answer) => {
      requireOk(answer);
      const { messages } = JSON.parse(answer.body.toString('latin1')) as ReceivedJson;
      if (messages.length === 0) return NOTHING;
      return {
        sequences: messages.map(({ body }) => sequenceOfText(body)),
        receipts: messages.map(({ receiptHandle }) => receiptHandle),
      };
    },
    deletesAtOnce: 1,
    deleteText: ([receipt]) => text('DELETE', `/messages/${receipt}`, ''),
    readDeleted: requireOk,
    createQueueText: () => text('PUT', '', ''),
    readCreated: requireOk,
  };
}

export const open: OpenDriver = (options) => driveHttp(protocolOf, options);
