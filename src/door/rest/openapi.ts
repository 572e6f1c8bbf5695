/* The OpenAPI 3.1 document of the REST door, made of the rows that serve it. */

import * as z from 'zod';
import { ERRORS, type ErrorCode } from '../../base/errors.ts';
import { RECEIPT_HANDLE_CHARS } from '../../broker/receipt-handle.ts';
import type { BodyReader, Operation } from './operation.ts';
import { PROBLEM_CONTENT_TYPE } from './problem.ts';
import { COMPONENTS, PROBLEM } from './schemas.ts';

type Json = Record<string, unknown>;

/** What the variables of paths mean. */
const PATH_VARIABLES: Readonly<Record<string, Json>> = {
  queue: { description: "The queue's name.", schema: { type: 'string', maxLength: 80 } },
  receiptHandle: {
    description: 'From the receive that delivered the message.',
    schema: { type: 'string', minLength: RECEIPT_HANDLE_CHARS, maxLength: RECEIPT_HANDLE_CHARS },
  },
};
/** What any operation can answer, whatever it does. */
const COMMON_ERRORS: readonly ErrorCode[] = ['CAPSTAN_INTERNAL', 'CAPSTAN_CLOSED'];

export function openApiDocument(operations: readonly Operation[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const each of operations) {
    const path = (paths[each.path] ??= {});
    path[each.method.toLowerCase()] = operationJson(each);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Capstan',
      version,
      summary: 'A durable message queue over plain HTTP.',
      description:
        'What is acknowledged is on disk. Errors are problem details (RFC 9457) with a stable ' +
        '`code`, an `advice`, and `retryable`. Times are milliseconds, unknown query ' +
        'parameters and fields are refused.',
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: componentSchemas() },
  };
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(COMPONENTS, { uri: componentUri, io: 'input' });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      // Both only repeat what the place in an OpenAPI document says.
      const { $schema: _dialect, $id: _id, ...rest } = schema;
      return [id, rest];
    }),
  );
}

function componentUri(id: string): string {
  return `#/components/schemas/${id}`;
}

function reference(schema: z.ZodType): Json {
  const id = COMPONENTS.get(schema)?.id;
  if (id === undefined) throw new TypeError('a schema of a request or response has no name');
  return { $ref: componentUri(id) };
}

function operationJson(each: Operation): Json {
  const { id, summary, description, body, responses, errors } = each;
  const requestBody = bodyJson(body);
  const parameters = [...pathParameters(each.path), ...queryParameters(each.query)];
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: {
      ...Object.fromEntries(
        responses.map(({ status, description: text, schema }) => [
          String(status),
          {
            description: text,
            ...(schema === undefined
              ? {}
              : { content: { 'application/json': { schema: reference(schema) } } }),
          },
        ]),
      ),
      ...errorResponses([...errors, ...COMMON_ERRORS]),
    },
  };
}

function pathParameters(path: string): Json[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    ...PATH_VARIABLES[name ?? ''],
  }));
}

function queryParameters(query: z.ZodObject): Json[] {
  return Object.entries(query.shape).map(([name, schema]) => {
    const json = z.toJSONSchema(schema, { io: 'output' });
    const { $schema: _dialect, description, ...rest } = json;
    return {
      name,
      in: 'query',
      required: !z.object({ value: schema }).safeParse({}).success,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function bodyJson({ kind, schema, optional }: BodyReader<unknown>): Json | undefined {
  if (kind === 'none') return undefined;
  if (kind === 'json' && schema !== undefined) {
    const required = optional !== true;
    return { required, content: { 'application/json': { schema: reference(schema) } } };
  }
  // An empty message is a message.
  return { required: false, content: { '*/*': { schema: {} } } };
}

/** One response per status, naming the codes that come with it. */
function errorResponses(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    Array.from(byStatus, ([status, ofStatus]) => [
      String(status),
      {
        description: ofStatus.map((code) => `\`${code}\`: ${ERRORS[code].advice}`).join('\n\n'),
        content: { [PROBLEM_CONTENT_TYPE]: { schema: reference(PROBLEM) } },
      },
    ]),
  );
}
