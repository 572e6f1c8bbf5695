/* The bare server that reads a body and says hello: it stores nothing, so nothing can be received.
 * Requests are those of SQS, byte for byte. */

import { requestText } from '../harness/http-connection.ts';
import { NOTHING, type OpenDriver } from './driver.ts';
import { driveHttp, requireOk } from './http-lanes.ts';
import { sqsSendText } from './sqs-json.ts';

export const open: OpenDriver = (options) =>
  driveHttp(
    (own) => ({
      sendText: (bodies, first) => sqsSendText(own, bodies, first),
      readSent: requireOk,
      receiveText: () => requestText('POST', own.url, {}, ''),
      readReceived: () => NOTHING,
      deletesAtOnce: 1,
      deleteText: () => requestText('POST', own.url, {}, ''),
      readDeleted: requireOk,
      createQueueText: () => requestText('POST', own.url, {}, 'hello'),
      readCreated: requireOk,
    }),
    options,
  );
