/* How queues are called from outside: by URL, by ARN, or by a bare name. Whatever stands before the
 * last segment (scheme, host, region, account) is accepted and ignored: a program that was written
 * for another endpoint keeps its addresses. */

import { SqsError } from './sqs-errors.ts';

const SLASH = 0x2f;

/** The last part of a queue's URL, or of its path; a bare name is its own. */
export function queueNameOfUrl(url: string): string {
  const end = url.endsWith('/') ? url.length - 1 : url.length;
  const slash = url.lastIndexOf('/', end - 1);
  // After two slashes stands a host.
  if (slash + 1 < end && url.charCodeAt(slash - 1) !== SLASH) return url.slice(slash + 1, end);
  throw new SqsError('InvalidAddress', `The address ${url} is not valid for this endpoint.`);
}

const ARN = /^arn:[^:]*:sqs:[^:]*:[^:]*:([^:]+)$/;

/** Undefined: not an ARN of a queue. */
export function queueNameOfArn(arn: string): string | undefined {
  return ARN.exec(arn)?.[1];
}

/** True for `/<account>/<name>`, the path of a queue's URL. */
export function isQueuePath(path: string): boolean {
  return /^\/\d+\/[^/]+\/?$/.test(path);
}

/** Builds addresses. One for each door. */
export class QueueAddresses {
  readonly #arnPrefix: string;
  readonly #account: string;
  readonly #publicUrl: string | undefined;

  /** @param publicUrl what clients reach this server by; undefined: what each request says. */
  constructor(region: string, account: string, publicUrl: string | undefined) {
    this.#arnPrefix = `arn:aws:sqs:${region}:${account}:`;
    this.#account = account;
    this.#publicUrl = publicUrl?.replace(/\/+$/, '');
  }

  arn(name: string): string {
    return this.#arnPrefix + name;
  }

  /** @param host the `Host` header of the request that is answered. */
  url(name: string, host: string): string {
    return `${this.#publicUrl ?? `http://${host}`}/${this.#account}/${name}`;
  }
}
