/* The REST door: from a whole HTTP request to an operation and back. Used on a door's thread.
 *
 * The operations, whose schemas are a tenth of a second's work, are loaded by the first request: a
 * server that starts has clients waiting who may never ask for them. */

import { BrokerError } from '../../base/errors.ts';
import type { QueueService } from '../../broker/service.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { HttpAnswer, HttpProtocol, HttpRequest } from '../http.ts';
import type { RestResponse } from './operation.ts';
import { type Problem, problemAnswer, problemOf, problemOfError } from './problem.ts';
import type { Routes } from './routes.ts';

const JSON_CONTENT_TYPE = 'application/json';
/** What every path takes besides its operations' methods. */
const OPTIONS_METHOD = 'OPTIONS';

/** How many messages an answer speaks of, by operation; for the counters. */
const COUNTED: Readonly<Record<string, (counters: DoorCounters, response: RestResponse) => void>> =
  {
    sendMessage: (counters) => counters.sent(1),
    sendBatch: (counters, { body }) => {
      const { results } = body as { results: readonly object[] };
      counters.sent(results.filter((each) => !('error' in each)).length);
    },
    receiveMessages: (counters, { body }) => {
      counters.received((body as { messages: readonly object[] }).messages.length);
    },
    deleteMessage: (counters) => counters.deleted(1),
  };

export interface RestOptions {
  readonly service: QueueService;
  readonly counters: DoorCounters;
}

export function createRestProtocol({ service, counters }: RestOptions): HttpProtocol {
  let loaded: Routes | undefined;
  const problem = (made: Problem, headers: HttpAnswer['headers'] = []): HttpAnswer => {
    counters.error();
    return problemAnswer(made, headers);
  };

  async function handle(request: HttpRequest): Promise<HttpAnswer> {
    counters.request();
    try {
      const method = request.method === 'HEAD' ? 'GET' : request.method;
      const routes = loaded ?? (await loadRoutes());
      loaded = routes;
      const route = routes.find(method, request.path);
      if (route === undefined) return withoutRoute(request, routes.methodsOf(request.path));
      const { operation, path } = route;
      const response = await operation.run(service, new PathRequest(request, path));
      COUNTED[operation.id]?.(counters, response);
      return answerOf(response);
    } catch (error) {
      // A defect is for the server to log.
      if (!(error instanceof BrokerError)) throw error;
      return problem(problemOfError(error));
    }
  }

  function withoutRoute({ method, path }: HttpRequest, methods: readonly string[]): HttpAnswer {
    if (methods.length === 0) {
      const detail = `There is no path "${path}"; /openapi.json lists those that there are.`;
      return problem(problemOf('CAPSTAN_RESOURCE_NOT_FOUND', detail));
    }
    const allow = ['allow', [...methods, OPTIONS_METHOD].join(', ')] as const;
    if (method === OPTIONS_METHOD) {
      return { status: 204, contentType: '', headers: [allow], body: '' };
    }
    const detail = `"${path}" takes ${methods.join(', ')}, and not ${method}.`;
    const refused = problemOf('CAPSTAN_UNSUPPORTED_OPERATION', detail);
    return problem({ ...refused, status: 405, title: 'Method not allowed' }, [allow]);
  }

  return { handle, refuse: (_request, error) => problem(problemOfError(error)) };
}

async function loadRoutes(): Promise<Routes> {
  const [{ Routes }, { OPERATIONS }] = await Promise.all([
    import('./routes.ts'),
    import('./operations.ts'),
  ]);
  return new Routes(OPERATIONS);
}

/** A request as operations see it. The signal is made only for those that ask for it. */
class PathRequest {
  readonly path: Readonly<Record<string, string>>;
  readonly #request: HttpRequest;

  constructor(request: HttpRequest, path: Readonly<Record<string, string>>) {
    this.#request = request;
    this.path = path;
  }

  get query(): string {
    return this.#request.query;
  }

  get body(): Uint8Array {
    return this.#request.body;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }
}

function answerOf({ status, body, headers }: RestResponse): HttpAnswer {
  return {
    status,
    contentType: body === undefined ? '' : JSON_CONTENT_TYPE,
    ...(headers === undefined ? {} : { headers: Object.entries(headers) }),
    body: body === undefined ? '' : JSON.stringify(body),
  };
}
