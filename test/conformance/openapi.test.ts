/* The OpenAPI document that a real server serves, held against what that server answers: a scenario
 * calls every operation, and each answer has a status and a shape that the document names. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TestServer } from '../support/server.ts';

interface Response {
  readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>>;
}

interface DocumentedOperation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Response>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

let server: TestServer;
let document: Document;
/** `operationId status` of every answer. */
const answered = new Set<string>();

beforeAll(async () => {
  server = await TestServer.start();
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
});

afterAll(async () => {
  await server.close();
});

/** A component of the document as a schema; what it refers to goes with it. */
function schemaOf(reference: string): z.ZodType {
  const { schemas } = document.components;
  const inline = JSON.parse(
    JSON.stringify({ $ref: reference, $defs: schemas }).replaceAll(
      '#/components/schemas/',
      '#/$defs/',
    ),
  ) as Parameters<typeof z.fromJSONSchema>[0];
  return z.fromJSONSchema(inline);
}

interface CallOptions {
  readonly query?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Calls an operation as the document describes it, and holds the answer against it. */
async function call(id: string, status: number, options: CallOptions = {}): Promise<unknown> {
  const { query = '', variables = { queue: 'orders' }, body } = options;
  const [template, method, operation] = Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([name, each]) => [path, name, each] as const),
    )
    .find(([, , each]) => each.operationId === id)!;
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(variables[name]!),
  );
  const answer = await fetch(`${server.url}${path}${query}`, {
    method: method.toUpperCase(),
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  expect(answer.status, text).toBe(status);
  answered.add(`${id} ${status}`);
  const described = operation.responses[String(status)];
  expect(described, `${id} ${status} is in the document`).toBeDefined();
  const [contentType, content] = Object.entries(described?.content ?? {})[0] ?? [];
  expect(answer.headers.get('content-type') ?? undefined).toBe(contentType);
  if (content === undefined) {
    expect(text).toBe('');
    return undefined;
  }
  const json: unknown = JSON.parse(text);
  schemaOf(content.schema.$ref).parse(json);
  return json;
}

describe('the document', () => {
  it('holds for a scenario that calls every operation', async () => {
    const dead = { queue: 'dead' };
    await call('createQueue', 201, { variables: dead });
    const redrivePolicy = { deadLetterQueue: 'dead', maxReceiveCount: 1 };
    const creation = JSON.stringify({ redrivePolicy, tags: { team: 'a' } });
    await call('createQueue', 201, { body: creation });
    await call('createQueue', 200, { body: creation });
    await call('createQueue', 409, { body: '{"delayMs":1000}' });
    await call('createQueue', 400, { body: '{"delay":1}' });
    await call('listQueues', 200, { query: '?prefix=o&max=10' });
    await call('listQueues', 400, { query: '?max=none' });
    await call('showQueue', 200);
    await call('showQueue', 404, { variables: { queue: 'none' } });
    await call('changeQueue', 200, { body: '{"visibilityTimeoutMs":60000,"tags":{"team":null}}' });
    await call('changeQueue', 400, { body: '{"visibilityTimeoutMs":-1}' });

    await call('sendMessage', 201, { body: 'hello' });
    await call('sendMessage', 400, { query: '?delayMs=x', body: 'hello' });
    await call('sendMessage', 404, { variables: { queue: 'none' }, body: 'hello' });
    await call('sendMessage', 413, { body: 'x'.repeat(1024 * 1024 + 1) });
    const attributes = {
      colour: { type: 'String', value: 'red' },
      image: { type: 'Binary.png', valueBase64: 'AAEC' },
    };
    const messages = [{ body: 'one', attributes }, { bodyBase64: '/wD/' }];
    await call('sendBatch', 200, { body: JSON.stringify({ messages }) });
    await call('sendBatch', 400, { body: JSON.stringify({ messages: [{}] }) });
    await call('peekMessages', 200, { query: '?max=10' });

    const received = (await call('receiveMessages', 200, { query: '?max=10&waitMs=1000' })) as {
      messages: { receiptHandle: string }[];
    };
    expect(received.messages.length).toBeGreaterThan(0);
    const [{ receiptHandle } = { receiptHandle: '' }] = received.messages;
    const message = { queue: 'orders', receiptHandle };
    await call('changeVisibility', 204, { variables: message, query: '?timeoutMs=1000' });
    await call('changeVisibility', 400, { variables: message, query: '?timeoutMs=x' });
    await call('deleteMessage', 204, { variables: message });
    await call('deleteMessage', 404, { variables: { queue: 'orders', receiptHandle: 'forged' } });

    await call('startRedrive', 202, { variables: dead });
    await call('listRedrives', 200, { variables: dead, query: '?max=10' });
    await call('cancelRedrive', 404, { variables: { queue: 'orders' } });
    await call('purgeQueue', 204);
    await call('deleteQueue', 204);
    await call('deleteQueue', 404);
  });

  it('names no operation that the scenario does not call', () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    const called = new Set(Array.from(answered, (each) => each.split(' ')[0]!));
    expect(ids.filter((id) => !called.has(id))).toEqual([]);
    expect(document.openapi).toBe('3.1.0');
  });

  it('has schemas that refuse what is something else', () => {
    for (const [name, reason] of [
      ['Queue', {}],
      ['SentMessage', { messageId: 'x', sequenceNumber: 1 }],
      ['Received', { messages: [{ messageId: 'x' }] }],
    ] as const) {
      const schema = schemaOf(`#/components/schemas/${name}`);
      expect(schema.safeParse(reason).success, name).toBe(false);
    }
  });

  it('refers to nothing that it does not hold', () => {
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    const missing = Array.from(references, ([, name]) => name!).filter(
      (name) => !(name in document.components.schemas),
    );
    expect(missing).toEqual([]);
  });
});
