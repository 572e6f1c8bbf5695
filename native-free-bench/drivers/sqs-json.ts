/* Amazon SQS, AWS JSON 1.0. */

import { sequenceOfText } from '../harness/bodies.ts';
import { type HttpAnswer, requestText } from '../harness/http-connection.ts';
import { type DriverOptions, groupOf, type OpenDriver } from './driver.ts';
import { driveHttp, type HttpProtocol, requireOk } from './http-lanes.ts';

const ACCOUNT = '000000000000';
const SQS_BATCH_MAX = 10;

interface ReceivedJson {
  readonly Messages?: readonly { readonly Body: string; readonly ReceiptHandle: string }[];
}

export interface SqsRequest {
  readonly action: string;
  readonly input: unknown;
}

export function sqsHeaders(action: string): Record<string, string> {
  return {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `AmazonSQS.${action}`,
  };
}

function requestOf(url: string, { action, input }: SqsRequest): string {
  return requestText('POST', `${url}/`, sqsHeaders(action), JSON.stringify(input));
}

/** By the queue's name: what the server said when it was created. */
const queueUrls = new Map<string, string>();

export function sqsQueueUrl(url: string, queue: string): string {
  return queueUrls.get(queue) ?? `${url}/${ACCOUNT}/${queue}`;
}

function sqsQueueAttributes(groups: number | undefined): Record<string, string> {
  if (groups === undefined) return {};
  return {
    FifoQueue: 'true',
    ContentBasedDeduplication: 'true',
    DeduplicationScope: 'messageGroup',
    FifoThroughputLimit: 'perMessageGroupId',
  };
}

export function sqsSend(
  options: DriverOptions,
  bodies: readonly string[],
  first: number,
): SqsRequest {
  const { url, queue, groups } = options;
  const group = (i: number) =>
    groups === undefined ? {} : { MessageGroupId: groupOf(first + i, groups) };
  const QueueUrl = sqsQueueUrl(url, queue);
  if (options.batch === 1) {
    return { action: 'SendMessage', input: { QueueUrl, MessageBody: bodies[0], ...group(0) } };
  }
  const Entries = bodies.map((MessageBody, i) => ({ Id: String(i), MessageBody, ...group(i) }));
  return { action: 'SendMessageBatch', input: { QueueUrl, Entries } };
}

export function sqsReceive({ url, queue, waitMs }: DriverOptions, max: number): SqsRequest {
  const input = {
    QueueUrl: sqsQueueUrl(url, queue),
    MaxNumberOfMessages: Math.min(SQS_BATCH_MAX, max),
    WaitTimeSeconds: Math.ceil(waitMs / 1000),
  };
  return { action: 'ReceiveMessage', input };
}

export function sqsDelete({ url, queue }: DriverOptions, receipts: readonly string[]): SqsRequest {
  const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }));
  return { action: 'DeleteMessageBatch', input: { QueueUrl: sqsQueueUrl(url, queue), Entries } };
}

export interface ReceivedBatch {
  readonly sequences: readonly number[];
  readonly receipts: readonly string[];
}

export function parseReceived(json: string): ReceivedBatch {
  const { Messages = [] } = JSON.parse(json) as ReceivedJson;
  return {
    sequences: Messages.map(({ Body }) => sequenceOfText(Body)),
    receipts: Messages.map(({ ReceiptHandle }) => ReceiptHandle),
  };
}

function requireAll(answer: HttpAnswer): void {
  requireOk(answer);
  const { body } = answer;
  if (body.includes('"Failed":[{')) throw new Error(`Refused: ${body.toString('latin1', 0, 500)}`);
}

export function sqsSendText(
  options: DriverOptions,
  bodies: readonly string[],
  first: number,
): string {
  return requestOf(options.url, sqsSend(options, bodies, first));
}

function protocolOf(options: DriverOptions): HttpProtocol {
  const { url, queue, groups } = options;
  const receiveTexts = new Map<number, string>();
  return {
    sendText: (bodies, first) => sqsSendText(options, bodies, first),
    readSent: requireAll,
    receiveText: (max) => {
      const text = receiveTexts.get(max) ?? requestOf(url, sqsReceive(options, max));
      receiveTexts.set(max, text);
      return text;
    },
    readReceived: (answer) => {
      requireOk(answer);
      return parseReceived(answer.body.toString('latin1'));
    },
    deletesAtOnce: SQS_BATCH_MAX,
    deleteText: (receipts) => requestOf(url, sqsDelete(options, receipts)),
    readDeleted: requireAll,
    readCreated: (answer) => {
      requireOk(answer);
      const created = JSON.parse(answer.body.toString('latin1')) as { QueueUrl: string };
      queueUrls.set(queue, created.QueueUrl);
    },
    createQueueText: () => {
      const input = { QueueName: queue, Attributes: sqsQueueAttributes(groups) };
      return requestOf(url, { action: 'CreateQueue', input });
    },
  };
}

export const open: OpenDriver = (options) => driveHttp(protocolOf, options);
