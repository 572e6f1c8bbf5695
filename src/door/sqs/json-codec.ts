/* AWS JSON 1.0: reads the parameters of an action by its shape, and writes its results. Hot actions
 * are mostly read by json-scanner.ts and written by json-messages.ts; this is for everything.
 *
 * Whatever comes in as JSON is harmless: only fields that a shape names are looked at, and maps
 * become lists of entries, so that no key from outside ever names a property. */

import { isUtf8 } from 'node:buffer';
import { utf8Text } from '../../base/bytes.ts';
import type { Shape, StructShape, ValueOf } from './shape.ts';
import { missingParameter, SqsError } from './sqs-errors.ts';

export const JSON_CONTENT_TYPE = 'application/x-amz-json-1.0';

const WHOLE_MAX = 0x7fff_ffff;

/** The parameters in `body`, checked against `shape`.
 *  @param queueUrl names the queue when the parameters do not: the request's path. */
export function readJson<Of extends StructShape>(
  shape: Of,
  body: Buffer,
  queueUrl: string | undefined,
): ValueOf<Of> {
  const parsed = body.length === 0 ? {} : parse(body);
  if (!isObject(parsed)) throw unreadable('Start of structure or map found where not expected.');
  const given = parsed['QueueUrl'] ?? undefined;
  const parameters =
    given === undefined && queueUrl !== undefined && 'QueueUrl' in shape.fields
      ? { ...parsed, QueueUrl: queueUrl }
      : parsed;
  return readStruct(shape, parameters) as ValueOf<Of>;
}

function parse(body: Buffer): unknown {
  if (!isUtf8(body)) throw unreadable('The request is not UTF-8.');
  try {
    return JSON.parse(utf8Text(body, 0, body.length));
  } catch (error) {
    throw unreadable('The request is not JSON.', error);
  }
}

function unreadable(message: string, cause?: unknown): SqsError {
  return new SqsError('SerializationException', message, { cause });
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readStruct(shape: StructShape, value: JsonObject): unknown {
  const result: Record<string, unknown> = {};
  for (const [name, field] of shape.entries) {
    // Only own fields: what an object inherits was not sent.
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (given !== undefined && given !== null) {
      result[name] = READERS[field.shape.kind](field.shape as never, given, name);
    } else if (field.required) {
      throw missingParameter(name);
    }
  }
  return result;
}

type Reader<Kind> = (
  shape: Extract<Shape, { kind: Kind }>,
  value: unknown,
  name: string,
) => unknown;

/** One value on its own. */
export function readJsonValue(shape: Shape, value: unknown): unknown {
  return READERS[shape.kind](shape as never, value, '');
}

const READERS: { readonly [Kind in Shape['kind']]: Reader<Kind> } = {
  text: (_, value, name) => {
    if (typeof value === 'string') return value;
    throw wrongType(name, value, 'a String');
  },
  body: (_, value, name) => {
    if (typeof value === 'string') return value;
    throw wrongType(name, value, 'a String');
  },
  whole: (_, value, name) => {
    if (Number.isInteger(value) && Math.abs(value as number) <= WHOLE_MAX) return value;
    throw wrongType(name, value, 'an Integer');
  },
  flag: (_, value, name) => {
    if (typeof value === 'boolean') return value;
    throw wrongType(name, value, 'a Boolean');
  },
  bytes: (_, value, name) => {
    if (typeof value !== 'string') throw wrongType(name, value, 'a Blob');
    return bytesOfBase64(value);
  },
  list: (shape, value, name) => {
    if (!Array.isArray(value)) throw wrongType(name, value, 'a List');
    const read = READERS[shape.member.kind] as Reader<unknown>;
    return value.map((member) => read(shape.member as never, member, name));
  },
  map: (shape, value, name) => {
    if (!isObject(value)) throw wrongType(name, value, 'a Map');
    const read = READERS[shape.value.kind] as Reader<unknown>;
    const entries: (readonly [string, unknown])[] = [];
    for (const key of Object.keys(value)) {
      if (value[key] === null) continue;
      entries.push([key, read(shape.value, value[key], `${name}.${key}`)]);
    }
    return entries;
  },
  struct: (shape, value, name) => {
    if (!isObject(value)) throw wrongType(name, value, 'a Structure');
    return readStruct(shape, value);
  },
};

function wrongType(name: string, value: unknown, wanted: string): SqsError {
  const found = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
  return unreadable(`${name}: a ${found} value can not be converted to ${wanted}.`);
}

export function bytesOfBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is not base64; what it made of that is shorter.
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0 || bytes.length !== (text.length / 4) * 3 - padding) {
    throw unreadable('A Blob is not valid base64.');
  }
  return bytes;
}

export function base64OfBytes({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('base64');
}

/** Results as JSON. */
export function writeJson(shape: Shape, value: unknown): string {
  return JSON.stringify(plain(shape, value));
}

/** Turns maps into objects and bytes into base64. */
function plain(shape: Shape, value: unknown): unknown {
  if (shape.kind === 'bytes') return base64OfBytes(value as Uint8Array);
  if (shape.kind === 'list') {
    return (value as unknown[]).map((member) => plain(shape.member, member));
  }
  if (shape.kind === 'map') {
    const entries = value as (readonly [string, unknown])[];
    // `fromEntries` defines properties: a key of any name is only a key.
    return Object.fromEntries(entries.map(([key, inner]) => [key, plain(shape.value, inner)]));
  }
  if (shape.kind !== 'struct') return value;
  const result: Record<string, unknown> = {};
  for (const [name, field] of shape.entries) {
    const inner = (value as JsonObject)[name];
    if (inner !== undefined) result[name] = plain(field.shape, inner);
  }
  return result;
}

export function jsonError({ sqsName, message }: SqsError): string {
  return JSON.stringify({ __type: `com.amazonaws.sqs#${sqsName}`, message });
}
