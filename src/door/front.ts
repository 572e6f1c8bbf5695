/* Which protocol a request belongs to, told by its head. One port serves all of them, so the rules
 * are few and in one place:
 *
 *   X-Amz-Target, whatever the path          SQS (JSON)
 *   /v1/...                                  REST
 *   /healthz, /metrics, ...                  admin
 *   / asked for by a browser                 admin, its dashboard
 *   a form, or Action= in the query          SQS (Query)
 *   anything else                            REST, which says that there is no such path */

import { isAdminPath } from './admin/protocol.ts';
import type { HttpProtocol, HttpRequest } from './http.ts';

export interface FrontProtocols {
  readonly sqs: HttpProtocol;
  readonly rest: HttpProtocol;
  readonly admin: HttpProtocol;
}

export function frontOf({ sqs, rest, admin }: FrontProtocols): (head: HttpRequest) => HttpProtocol {
  return (head) => {
    if (head.target !== '') return sqs;
    const { path } = head;
    if (path.startsWith('/v1/') || path === '/v1') return rest;
    if (isAdminPath(path)) return admin;
    if (isSqsQuery(head)) return sqs;
    if (path === '/' && head.header('accept').includes('text/html')) return admin;
    return rest;
  };
}

/** A POST that is no REST path is taken for one of SQS, so that an SQS client with a request that
 *  we do not know reads an error that it understands. */
function isSqsQuery({ method, query }: HttpRequest): boolean {
  return method === 'POST' || /(^|&)Action=/.test(query);
}
