/* AWS Query: reads the parameters of an action from a form or a query string, by its shape.
 *
 *   MessageBody=...                         a field
 *   AttributeName.1=..., AttributeName.2    a list, by the name of its members; also with the
 *   AttributeNames.member.1, ...            field's own name, and with any one name in between
 *   Attribute.1.Name=..&Attribute.1.Value   a map; also one entry without a number
 *   DeleteMessageBatchRequestEntry.1.Id     a list of structures
 *
 * Names are split at their dots into a tree, whose nodes are maps: a name from outside is never
 * more than a key. */

import { bytesOfBase64 } from './json-codec.ts';
import type { Shape, StructShape, ValueOf } from './shape.ts';
import { missingParameter, SqsError } from './sqs-errors.ts';

/** Names with more parts than any parameter has are not looked at. */
const NAME_PARTS_MAX = 8;
const WHOLE_MAX = 0x7fff_ffff;

/** A parameter and those whose names go on where its name ends. */
export interface Form {
  value: string | undefined;
  readonly children: Map<string, Form>;
}

function newForm(): Form {
  return { value: undefined, children: new Map() };
}

/** Reads `sources`; of a name that stands in several, the first counts. */
export function readForm(...sources: readonly string[]): Form {
  const root = newForm();
  for (const source of sources) {
    for (const pair of source.split('&')) {
      if (pair.length === 0) continue;
      const equals = pair.indexOf('=');
      const name = decode(equals < 0 ? pair : pair.slice(0, equals));
      const node = nodeOf(root, name);
      if (node !== undefined) node.value ??= equals < 0 ? '' : decode(pair.slice(equals + 1));
    }
  }
  return root;
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch (error) {
    throw malformed('The request is not a valid query string.', error);
  }
}

function malformed(message: string, cause?: unknown): SqsError {
  return new SqsError('SerializationException', message, { cause });
}

function nodeOf(root: Form, name: string): Form | undefined {
  const parts = name.split('.', NAME_PARTS_MAX + 1);
  if (parts.length > NAME_PARTS_MAX) return undefined;
  let node = root;
  for (const part of parts) {
    let child = node.children.get(part);
    if (child === undefined) node.children.set(part, (child = newForm()));
    node = child;
  }
  return node;
}

/** The parameters in `form`, checked against `shape`.
 *  @param queueUrl names the queue when the parameters do not: the request's path. */
export function readQuery<Of extends StructShape>(
  shape: Of,
  form: Form,
  queueUrl: string | undefined,
): ValueOf<Of> {
  if (queueUrl !== undefined && 'QueueUrl' in shape.fields && !form.children.has('QueueUrl')) {
    form.children.set('QueueUrl', { ...newForm(), value: queueUrl });
  }
  return readStruct(shape, form) as ValueOf<Of>;
}

function readStruct(shape: StructShape, form: Form): unknown {
  const result: Record<string, unknown> = {};
  for (const [name, field] of shape.entries) {
    const value = READERS[field.shape.kind](field.shape as never, form, name);
    if (value !== undefined) result[name] = value;
    else if (field.required) throw missingParameter(name);
  }
  return result;
}

/** Reads the field `name` of the structure in `form`. */
type Reader<Kind> = (shape: Extract<Shape, { kind: Kind }>, form: Form, name: string) => unknown;

const READERS: { readonly [Kind in Shape['kind']]: Reader<Kind> } = {
  text: (_, form, name) => form.children.get(name)?.value,
  body: (_, form, name) => form.children.get(name)?.value,
  whole: (_, form, name) => {
    const text = form.children.get(name)?.value;
    if (text === undefined || text === '') return undefined;
    const value = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (Math.abs(value) <= WHOLE_MAX) return value;
    throw malformed(`${name}: ${text} can not be converted to an Integer.`);
  },
  flag: (_, form, name) => {
    const text = form.children.get(name)?.value;
    return text === undefined ? undefined : text === 'true';
  },
  bytes: (_, form, name) => {
    const text = form.children.get(name)?.value;
    return text === undefined ? undefined : bytesOfBase64(text);
  },
  list: (shape, form, name) => {
    const nodes = membersOf(form, [shape.queryName, name]);
    if (nodes === undefined) return undefined;
    return nodes.map((node) => readMember(shape.member, node));
  },
  map: (shape, form, name) => {
    const nodes = membersOf(form, [shape.queryName, name]);
    return nodes?.map((node) => {
      const key = (node.children.get(shape.keyName) ?? node.children.get('key'))?.value;
      if (key === undefined) throw missingParameter(`${shape.queryName}.${shape.keyName}`);
      const valueNode = node.children.get('Value') ?? node.children.get('value');
      if (valueNode === undefined) throw missingParameter(`${shape.queryName}.Value`);
      return [key, readMember(shape.value, valueNode)];
    });
  },
  struct: (shape, form, name) => {
    const node = form.children.get(name);
    return node === undefined ? undefined : readStruct(shape, node);
  },
};

/** The value of a member, which has no name of its own. */
function readMember(shape: Shape, node: Form): unknown {
  if (shape.kind === 'struct') return readStruct(shape, node);
  const holder = newForm();
  holder.children.set('', node);
  return READERS[shape.kind](shape as never, holder, '') ?? '';
}

/** The numbered nodes under the first of `names` that has any, by their numbers. */
function membersOf(form: Form, names: readonly string[]): Form[] | undefined {
  for (const name of names) {
    const node = form.children.get(name);
    if (node === undefined) continue;
    const numbered = numberedOf(node);
    if (numbered.length > 0) return numbered;
    // A name in between: `AttributeNames.member.1`, `Attributes.entry.1.key`.
    for (const child of node.children.values()) {
      const inner = numberedOf(child);
      if (inner.length > 0) return inner;
    }
    // An empty list: `DeleteMessageBatchRequestEntry=`.
    if (node.children.size === 0 && node.value === '') return [];
    // A single member without its number: `Attribute.Name`, `AttributeName`.
    return [node];
  }
  return undefined;
}

function numberedOf(node: Form): Form[] {
  const numbered: (readonly [number, Form])[] = [];
  for (const [key, child] of node.children) {
    if (/^\d{1,6}$/.test(key)) numbered.push([Number(key), child]);
  }
  return numbered.toSorted(([a], [b]) => a - b).map(([, child]) => child);
}
