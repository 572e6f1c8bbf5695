/* Which protocol a request belongs to, told by its head. One port serves all of them, so the rules
 * are few and in one place, the first that holds:
 *
 *   X-Amz-Target, whatever the path                        SQS (JSON)
 *   /v1/...                                                REST
 *   /healthz, /metrics, /status.json, /openapi.json        admin
 *   / asked for by a browser                               admin, its dashboard
 *   a form, an Action in the query, or a queue's URL       SQS (Query)
 *   anything else                                          REST, which knows no such path */

import { isAdminPath } from './admin/admin-paths.ts';
import type { HttpProtocol, HttpRequest } from './http.ts';
import { isSqsRequest } from './sqs/sqs-protocol.ts';

export interface FrontProtocols {
  readonly sqs: HttpProtocol;
  readonly rest: HttpProtocol;
  readonly admin: HttpProtocol;
}

const FORM_CONTENT_TYPE = 'application/x-www-form-urlencoded';

export function frontOf({ sqs, rest, admin }: FrontProtocols): (head: HttpRequest) => HttpProtocol {
  return (head) => {
    const { target, path } = head;
    if (target !== '') return sqs;
    if (path.startsWith('/v1/') || path === '/v1') return rest;
    if (isAdminPath(path)) return admin;
    if (isSqsRequest(head) || isForm(head)) return sqs;
    return path === '/' && head.header('accept').includes('text/html') ? admin : rest;
  };
}

function isForm({ method, contentType }: HttpRequest): boolean {
  return method === 'POST' && contentType.startsWith(FORM_CONTENT_TYPE);
}
