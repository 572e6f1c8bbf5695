/* Amazon SQS, the AWS Query protocol: form bodies and XML. */

import { sequenceOfText } from '../harness/bodies.ts';
import { requestText } from '../harness/http-connection.ts';
import type { DriverOptions, OpenDriver } from './driver.ts';
import { driveHttp, type HttpProtocol, requireOk } from './http-lanes.ts';
import { sqsQueueUrl } from './sqs-json.ts';

const HEADERS = { 'content-type': 'application/x-www-form-urlencoded' };

/** A form in which the marks for sequence numbers stay readable. */
function formText(parameters: Readonly<Record<string, string>>): string {
  return Object.entries({ ...parameters, Version: '2012-11-05' })
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%23', '#')}`)
    .join('&');
}

/** The texts of all elements of that name. */
function elementTexts(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text]) => text!);
}

function protocolOf(options: DriverOptions): HttpProtocol {
  const { url, queue, waitMs } = options;
  const queueUrl = sqsQueueUrl(url, queue);
  const text = (Action: string, parameters: Readonly<Record<string, string>>): string =>
    requestText('POST', queueUrl, HEADERS, formText({ Action, ...parameters }));
  const entries = (prefix: string, name: string, values: readonly string[]) =>
    Object.fromEntries(
      values.flatMap((value, i) => [
        [`${prefix}.${i + 1}.Id`, String(i)],
        [`${prefix}.${i + 1}.${name}`, value],
      ]),
    );
  return {
    sendText: (bodies) =>
      options.batch === 1
        ? text('SendMessage', { MessageBody: bodies[0]! })
        : text('SendMessageBatch', entries('SendMessageBatchRequestEntry', 'MessageBody', bodies)),
    readSent: (answer) => {
      requireOk(answer);
      if (answer.body.includes('<BatchResultErrorEntry>'))
        throw new Error('A message was refused.');
    },
    receiveText: (max) =>
      text('ReceiveMessage', {
        MaxNumberOfMessages: String(Math.min(10, max)),
        WaitTimeSeconds: String(Math.ceil(waitMs / 1000)),
      }),
    readReceived: (answer) => {
      requireOk(answer);
      const xml = answer.body.toString('latin1');
      return {
        sequences: elementTexts(xml, 'Body').map(sequenceOfText),
        receipts: elementTexts(xml, 'ReceiptHandle'),
      };
    },
    deletesAtOnce: 10,
    deleteText: (receipts) =>
      text(
        'DeleteMessageBatch',
        entries('DeleteMessageBatchRequestEntry', 'ReceiptHandle', receipts),
      ),
    readDeleted: (answer) => {
      requireOk(answer);
      if (answer.body.includes('<BatchResultErrorEntry>')) throw new Error('A deletion failed.');
    },
    createQueueText: () => text('CreateQueue', { QueueName: queue }),
    readCreated: requireOk,
  };
}

export const open: OpenDriver = (options) => driveHttp(protocolOf, options);
