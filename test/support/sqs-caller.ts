/* Sends requests to the SQS door as HTTP would, without HTTP. */

import { XMLParser } from 'fast-xml-parser';
import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { HttpAnswer, HttpRequest } from '../../src/door/http.ts';
import { createSqsProtocol, type SqsOptions } from '../../src/door/sqs/sqs-protocol.ts';
import { FakeQueueService } from './fake-queue-service.ts';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body, parsed: JSON as it is, XML as an object. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they please
  readonly body: any;
}

const LISTS = new Set([
  'Attribute',
  'Tag',
  'MessageAttribute',
  'SendMessageBatchResultEntry',
  'DeleteMessageBatchResultEntry',
  'ChangeMessageVisibilityBatchResultEntry',
  'BatchResultErrorEntry',
  'ListMessageMoveTasksResultEntry',
]);
const XML = new XMLParser({
  ignoreAttributes: false,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
  isArray: (name) => LISTS.has(name),
});

export class SqsCaller {
  readonly service = new FakeQueueService();
  readonly #protocol;

  constructor(options: Partial<SqsOptions> = {}) {
    const { service } = this;
    this.#protocol = createSqsProtocol({
      service,
      logger: SILENT_LOGGER,
      ...options,
    });
  }

  async request(given: Partial<HttpRequest>): Promise<Answer> {
    let respond!: (answer: Answer) => void;
    const responded = new Promise<Answer>((resolve) => {
      respond = resolve;
    });
    const answer = await this.#protocol.handle({
      method: 'POST',
      path: '/',
      query: '',
      host: 'localhost:9324',
      contentType: '',
      target: '',
      header: () => '',
      body: Buffer.alloc(0),
      signal: new AbortController().signal,
      onGone: () => undefined,
      // At once: the answer's bytes are lent.
      respond: (later) => respond(parsed(later)),
      ...given,
    });
    return answer === undefined ? responded : parsed(answer);
  }

  /** AWS JSON 1.0. A text is sent as it is. */
  json(action: string, parameters: object | string | Buffer, path = '/'): Promise<Answer> {
    const isRaw = typeof parameters === 'string' || Buffer.isBuffer(parameters);
    const body = isRaw ? Buffer.from(parameters) : Buffer.from(JSON.stringify(parameters));
    const target = `AmazonSQS.${action}`;
    return this.request({ contentType: 'application/x-amz-json-1.0', target, body, path });
  }

  /** AWS Query, as a form. */
  query(action: string, parameters: Record<string, string>, path = '/'): Promise<Answer> {
    const form = new URLSearchParams({ Action: action, Version: '2012-11-05', ...parameters });
    const contentType = 'application/x-www-form-urlencoded; charset=utf-8';
    return this.request({ contentType, body: Buffer.from(form.toString()), path });
  }
}

function parsed({ status, contentType, headers = [], body }: HttpAnswer): Answer {
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
  return {
    status,
    contentType,
    headers: Object.fromEntries(headers),
    text,
    body: contentType === 'text/xml' ? XML.parse(text) : JSON.parse(text),
  };
}
