/* The official SDK, pointed at a server under test. */

import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';

/** Any credentials do: signatures are not checked. */
export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

/** Without retries: a test wants to see the first answer. */
export function sqsClient(endpoint: string, config: SQSClientConfig = {}): SQSClient {
  return new SQSClient({
    endpoint,
    region: 'eu-central-1',
    credentials: CREDENTIALS,
    maxAttempts: 1,
    ...config,
  });
}
