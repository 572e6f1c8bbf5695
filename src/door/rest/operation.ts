/* What one operation of the REST door is: a row that says how it is called and what it answers, and
 * the function behind it. The same rows route requests, check them, and make the OpenAPI document,
 * so the document cannot say anything else than what is served. */

import { isUtf8 } from 'node:buffer';
import * as z from 'zod';
import { utf8Text } from '../../base/bytes.ts';
import { BrokerError, type ErrorCode } from '../../base/errors.ts';
import type { QueueService } from '../../broker/service.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/** A request as any transport can give it. */
export interface RestRequest {
  /** The variables of the path, percent-decoded. */
  readonly path: Readonly<Record<string, string>>;
  /** The query string, without its question mark. */
  readonly query: string;
  /** Empty when there is none. */
  readonly body: Uint8Array;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface RestResponse {
  readonly status: number;
  /** Serialised as JSON; undefined: no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler is given: the request, checked against its row. */
export interface Call<Query, Body> {
  readonly service: QueueService;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly signal: AbortSignal;
}

interface ResponseRow {
  readonly status: number;
  readonly description: string;
  readonly schema?: z.ZodType;
}

/** How an operation reads the request's body, and how the document shows it. */
export interface BodyReader<Body> {
  readonly kind: 'none' | 'bytes' | 'json';
  /** Of JSON. */
  readonly schema?: z.ZodType<Body>;
  /** A request without a body is as good as one with an empty object. */
  readonly optional?: boolean;
  read(bytes: Uint8Array): Body;
}

/** Whatever is sent along is ignored. */
export const NO_BODY: BodyReader<undefined> = { kind: 'none', read: () => undefined };

/** The bytes as they are, of any content type. */
export const BYTES_BODY: BodyReader<Uint8Array> = { kind: 'bytes', read: (bytes) => bytes };

/** JSON, whatever the content type says: curl says `application/x-www-form-urlencoded` unless it
 *  is told otherwise. */
export function jsonBody<Body>(schema: z.ZodType<Body>, optional = false): BodyReader<Body> {
  return {
    kind: 'json',
    schema,
    optional,
    read: (bytes) =>
      checked(schema, optional && bytes.length === 0 ? {} : parseJson(bytes), 'field'),
  };
}

export const NO_QUERY = z.strictObject({});

/** How an operation is called and what it answers. */
export interface OperationRow<Query extends z.ZodObject, Body> {
  /** The name under which generated clients offer it. */
  readonly id: string;
  readonly method: Method;
  /** With variables in braces. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly query: Query;
  readonly body: BodyReader<Body>;
  readonly responses: readonly ResponseRow[];
  readonly errors: readonly ErrorCode[];
}

/** A row with its handler behind it. */
export interface Operation extends OperationRow<z.ZodObject, unknown> {
  run(service: QueueService, request: RestRequest): Promise<RestResponse>;
}

/** Joins a row to its handler, which sees only what has passed the row's schemas. */
export function operation<Query extends z.ZodObject, Body>(
  row: OperationRow<Query, Body>,
  handle: (call: Call<z.output<Query>, Body>) => Promise<RestResponse> | RestResponse,
): Operation {
  return {
    ...row,
    async run(service, request) {
      const parameters = Object.fromEntries(new URLSearchParams(request.query));
      const query = checked(row.query, parameters, 'query parameter');
      const body = row.body.read(request.body);
      return handle({ service, path: request.path, query, body, signal: request.signal });
    },
  };
}

function parseJson(body: Uint8Array): unknown {
  if (!isUtf8(body)) throw invalid('The body is not UTF-8.');
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
  try {
    return JSON.parse(utf8Text(buffer, 0, buffer.length));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(`The body is not JSON: ${reason}.`);
  }
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = path === '' ? knownKeys(schema) : '';
    const unknown = [...issue.path, issue.keys[0]].join('.');
    throw invalid(`There is no ${what} "${unknown}".${known}`);
  }
  const place = path === '' ? 'The body' : `The ${what} "${path}"`;
  throw invalid(`${place} is not valid: ${issue.message}.`);
}

function knownKeys(schema: z.ZodType): string {
  if (!(schema instanceof z.ZodObject)) return '';
  const keys = Object.keys(schema.shape);
  return keys.length === 0 ? ' None is taken here.' : ` Known are: ${keys.join(', ')}.`;
}

function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

/** The queue that the path names. */
export function queueOf(call: Call<unknown, unknown>): QueueDefinition {
  const name = call.path['queue']!;
  const queue = call.service.findQueue(name);
  if (queue !== undefined) return queue;
  throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', `There is no queue "${name}".`);
}
