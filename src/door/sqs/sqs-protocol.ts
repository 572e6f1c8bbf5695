/* The SQS door: finds out which protocol and which action a request is of, runs the action, and
 * answers in the protocol that was asked. Runs on a door's thread and knows no sockets. */

import { BrokerError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Settle } from '../../base/settle.ts';
import type { QueueService } from '../../broker/service.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { HttpAnswer, HttpProtocol, HttpRequest } from '../http.ts';
import type { Action, SqsContext } from './action.ts';
import { ACTIONS } from './actions.ts';
import { JsonBytes } from './json-bytes.ts';
import { JSON_CONTENT_TYPE, jsonError, readJson, writeJson } from './json-codec.ts';
import { scanJson } from './json-scanner.ts';
import { readForm, readQuery } from './query-codec.ts';
import { isQueuePath, QueueAddresses } from './queue-address.ts';
import { requestIds } from './request-ids.ts';
import { SqsError, sqsErrorOf } from './sqs-errors.ts';
import { XML_CONTENT_TYPE, xmlAnswer, xmlError } from './xml-writer.ts';

const DEFAULT_REGION = 'us-east-1';
const DEFAULT_ACCOUNT = '000000000000';
const TARGET_PREFIX = 'AmazonSQS.';

export interface SqsOptions {
  readonly service: QueueService;
  /** What queue URLs start with; undefined: what each request's `Host` says. */
  readonly publicUrl?: string | undefined;
  /** By default `us-east-1`. */
  readonly region?: string | undefined;
  /** By default `000000000000`. */
  readonly account?: string | undefined;
  readonly logger: Logger;
  readonly counters?: DoorCounters | undefined;
}

/** True for what this door answers: everything with a target or an action, and everything that is
 *  sent to the root or to a queue's URL. */
export function isSqsRequest({
  method,
  path,
  query,
  target,
}: Pick<HttpRequest, 'method' | 'path' | 'query' | 'target'>): boolean {
  if (target !== '') return true;
  if (path === '/' || path === '') return method === 'POST' || /(^|&)Action=/.test(query);
  return isQueuePath(path);
}

/** How answers look in one of the two protocols. */
interface Wire {
  readonly contentType: string;
  /** What the request asks for. Throws SqsError where it cannot be read. */
  read(request: HttpRequest): { readonly action: Action; readonly input: unknown };
  /** Bytes are lent until the next answer. */
  answer(action: Action, output: unknown, requestId: string): string | Uint8Array;
  error(error: SqsError, requestId: string): string;
}

/** A queue can be named by the path alone. */
function queueUrlOf({ path }: HttpRequest): string | undefined {
  return isQueuePath(path) ? path : undefined;
}

const json = new JsonBytes();

const JSON_WIRE: Wire = {
  contentType: JSON_CONTENT_TYPE,
  read(request) {
    const { target, body } = request;
    const name = target.startsWith(TARGET_PREFIX) ? target.slice(TARGET_PREFIX.length) : '';
    const action = ACTIONS.get(name);
    if (action === undefined) {
      throw new SqsError('UnknownOperationException', `The action ${target} is not valid.`);
    }
    const input = scanJson(action.input, body);
    return { action, input: input ?? readJson(action.input, body, queueUrlOf(request)) };
  },
  answer({ output, writeJson: write }, value) {
    if (write === undefined) return writeJson(output, value);
    write(value as never, json.clear());
    return json.written();
  },
  error: (error) => jsonError(error),
};

const XML_WIRE: Wire = {
  contentType: XML_CONTENT_TYPE,
  read(request) {
    const { method, query, body } = request;
    const form = method === 'POST' ? readForm(body.toString('utf8'), query) : readForm(query);
    const name = form.children.get('Action')?.value;
    if (name === undefined || name === '') {
      throw new SqsError(
        'MissingActionException',
        'The request must contain the parameter Action.',
      );
    }
    const action = ACTIONS.get(name);
    if (action === undefined) {
      throw new SqsError(
        'UnknownOperationException',
        `The action ${name} is not valid for this endpoint.`,
      );
    }
    return { action, input: readQuery(action.input, form, queueUrlOf(request)) };
  },
  answer({ name, output, forXml }, value, requestId) {
    const result = forXml === undefined ? value : forXml(value as never);
    return xmlAnswer(name, output, result, requestId);
  },
  error: xmlError,
};

function wireOf({ target, contentType }: HttpRequest): Wire {
  return target !== '' || contentType.startsWith(JSON_CONTENT_TYPE) ? JSON_WIRE : XML_WIRE;
}

export function createSqsProtocol(options: SqsOptions): HttpProtocol {
  const { service, publicUrl, logger, counters } = options;
  const { region = DEFAULT_REGION, account = DEFAULT_ACCOUNT } = options;
  const context: SqsContext = {
    service,
    addresses: new QueueAddresses(region, account, publicUrl),
    account,
    counters,
  };
  const nextId = requestIds();

  function succeed(wire: Wire, action: Action, output: unknown): HttpAnswer {
    const requestId = nextId();
    return {
      status: 200,
      contentType: wire.contentType,
      headers: [['x-amzn-RequestId', requestId]],
      body: wire.answer(action, output, requestId),
    };
  }

  function fail(wire: Wire, cause: unknown): HttpAnswer {
    const requestId = nextId();
    if (!(cause instanceof SqsError) && !(cause instanceof BrokerError)) {
      logger.error({ error: cause, requestId }, 'an SQS request failed inside the server');
    }
    counters?.error();
    const error = sqsErrorOf(cause);
    const fault = error.senderFault ? 'Sender' : 'Receiver';
    return {
      status: error.status,
      contentType: wire.contentType,
      headers: [
        ['x-amzn-RequestId', requestId],
        ['x-amzn-query-error', `${error.queryCode};${fault}`],
      ],
      body: wire.error(error, requestId),
    };
  }

  /** Where an action's result goes. */
  class Reply implements Settle<unknown> {
    readonly #request: HttpRequest;
    readonly #wire: Wire;
    readonly #action: Action;
    #told = false;

    constructor(request: HttpRequest, wire: Wire, action: Action) {
      this.#request = request;
      this.#wire = wire;
      this.#action = action;
    }

    resolve(output: unknown): void {
      let answer: HttpAnswer;
      try {
        answer = succeed(this.#wire, this.#action, output);
      } catch (error) {
        answer = fail(this.#wire, error);
      }
      this.#respond(answer);
    }

    reject(error: unknown): void {
      this.#respond(fail(this.#wire, error));
    }

    /** Once: after its answer a request's place is another's. */
    #respond(answer: HttpAnswer): void {
      if (this.#told) {
        logger.error({ action: this.#action.name }, 'an action has told a second result');
        return;
      }
      this.#told = true;
      this.#request.respond(answer);
    }
  }

  return {
    handle(request) {
      counters?.request();
      const wire = wireOf(request);
      try {
        const { action, input } = wire.read(request);
        action.start(context, input as never, request, new Reply(request, wire, action));
        return undefined;
      } catch (error) {
        return fail(wire, error);
      }
    },
    refuse: (request, error) => fail(wireOf(request), error),
  };
}
