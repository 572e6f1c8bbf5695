/* The admin door: health, metrics, the dashboard and what it shows, the REST door's description.
 * Everything here is GET. Used on a door's thread. What most servers are never asked for is loaded
 * when it is. */

import type { Clock } from '../../base/clock.ts';
import type { QueueService } from '../../broker/service.ts';
import type { HttpAnswer, HttpHandler, HttpProtocol } from '../http.ts';
import { methodNotAllowed, problemAnswer, problemOfError } from '../rest/problem.ts';
import type { AdminPath } from './admin-paths.ts';
import { DASHBOARD_PAGE } from './dashboard-page.ts';
import { healthAnswer } from './health.ts';
import type { MeasurementSource } from './measurements.ts';
import { QUEUES_SHOWN_DEFAULT, QUEUES_SHOWN_MAX, queueFigures } from './queue-figures.ts';

const NOT_CACHED = [['cache-control', 'no-store']] as const;
/** The page runs its own script and talks to its own server, and nothing else. */
const PAGE_HEADERS = [
  ...NOT_CACHED,
  [
    'content-security-policy',
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
  ],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
] as const;

export interface AdminOptions {
  readonly service: QueueService;
  readonly source: MeasurementSource;
  readonly clock: Clock;
  readonly version: string;
}

export function createAdminProtocol(options: AdminOptions): HttpProtocol {
  const { service, source, clock, version } = options;
  let openApi: Promise<string> | undefined;

  const pages: Readonly<Record<AdminPath | '/', HttpHandler>> = {
    '/': () => ({
      status: 200,
      contentType: 'text/html; charset=utf-8',
      headers: PAGE_HEADERS,
      body: DASHBOARD_PAGE,
    }),
    '/healthz': () => {
      const { status, body } = healthAnswer(source.health());
      return jsonAnswer(status, JSON.stringify(body));
    },
    '/metrics': async () => {
      const { METRICS_CONTENT_TYPE, metricsText } = await import('./metrics.ts');
      const selection = await queueFigures(service, QUEUES_SHOWN_MAX);
      const text = await metricsText(await source.measure(), selection, clock());
      return { status: 200, contentType: METRICS_CONTENT_TYPE, headers: NOT_CACHED, body: text };
    },
    '/status.json': async ({ query }) => {
      const max = Number(new URLSearchParams(query).get('queues') ?? QUEUES_SHOWN_DEFAULT);
      const shown = max >= 1 && max <= QUEUES_SHOWN_MAX ? max : QUEUES_SHOWN_DEFAULT;
      const { queues, total } = await queueFigures(service, shown);
      const measured = await source.measure();
      const status = { now: clock(), ...measured, queues, queuesTotal: total };
      return jsonAnswer(200, JSON.stringify(status));
    },
    '/openapi.json': async () => jsonAnswer(200, await (openApi ??= openApiText(version))),
  };

  return {
    handle: (request) => {
      const { method, path } = request;
      if (method !== 'GET' && method !== 'HEAD') return methodNotAllowed(method, path);
      return pages[path as AdminPath](request);
    },
    refuse: (_request, error) => problemAnswer(problemOfError(error)),
  };
}

async function openApiText(version: string): Promise<string> {
  const [{ openApiDocument }, { OPERATIONS }] = await Promise.all([
    import('../rest/openapi.ts'),
    import('../rest/operations.ts'),
  ]);
  return JSON.stringify(openApiDocument(OPERATIONS, version));
}

function jsonAnswer(status: number, body: string): HttpAnswer {
  return { status, contentType: 'application/json', headers: NOT_CACHED, body };
}
