/* Clients that speak AWS Query: the AWS command line and boto3 of Debian's packages. */

import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  AWS_CLI,
  CLIENTS_DIR,
  hasAwsCli,
  hasPython,
  PYTHON,
  run,
} from '../support/debian-clients.ts';
import { TestServer } from '../support/server.ts';

/** Starting a Python takes its time on a busy machine. */
const PATIENCE_MS = 120_000;

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.close();
});

test.runIf(hasPython('boto3'))(
  'boto3 finds every action as it should be',
  async () => {
    const script = path.join(CLIENTS_DIR, 'boto3_actions.py');
    const { code, stdout, stderr } = await run(PYTHON, [script, server.url]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.trim()).toMatch(/^(query|json)$/);
  },
  PATIENCE_MS,
);

const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_MAX_ATTEMPTS: '1',
  AWS_PAGER: '',
};

/** The command's answer. */
async function aws(...args: readonly string[]): Promise<Record<string, unknown>> {
  const all = ['--endpoint-url', server.url, '--output', 'json', 'sqs', ...args];
  const { code, stdout, stderr } = await run(AWS_CLI, all, ENVIRONMENT);
  if (code !== 0) throw new Error(stderr.trim());
  return stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
}

test.runIf(hasAwsCli())(
  'the AWS command line sends, receives and deletes',
  async () => {
    const attributes = '{"VisibilityTimeout":"45","CapstanInFlightLimit":"9"}';
    const created = await aws('create-queue', '--queue-name', 'cli', '--attributes', attributes);
    const queue = ['--queue-url', created['QueueUrl'] as string];
    const shown = await aws('get-queue-attributes', ...queue, '--attribute-names', 'All');
    expect(shown['Attributes']).toMatchObject({
      VisibilityTimeout: '45',
      CapstanInFlightLimit: '9',
    });

    const body = 'from the <command> line & back';
    const sent = await aws('send-message', ...queue, '--message-body', body);
    const received = await aws('receive-message', ...queue, '--attribute-names', 'All');
    const [message] = received['Messages'] as Record<string, unknown>[];
    expect(message).toMatchObject({ Body: body, MessageId: sent['MessageId'] });
    const receipt = ['--receipt-handle', message!['ReceiptHandle'] as string];
    expect(await aws('delete-message', ...queue, ...receipt)).toEqual({});
    await expect(aws('get-queue-url', '--queue-name', 'nothing')).rejects.toThrow(
      '(AWS.SimpleQueueService.NonExistentQueue)',
    );
  },
  PATIENCE_MS,
);
