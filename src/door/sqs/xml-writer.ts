/* AWS Query: writes results and errors as XML, by their shapes. Lists and maps are flat: each of
 * their members is an element of its own. */

import { base64OfBytes } from './json-codec.ts';
import { isPlainText, plainText } from './message-checks.ts';
import type { Shape, StructShape } from './shape.ts';
import type { SqsError } from './sqs-errors.ts';

export const XML_CONTENT_TYPE = 'text/xml';
const NAMESPACE = 'http://queue.amazonaws.com/doc/2012-11-05/';
const DECLARATION = '<?xml version="1.0"?>';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // A parser would make a line feed of it.
  '\r': '&#xD;',
};

export function escapeXml(text: string): string {
  const fit = isPlainText(text) ? text : plainText(text);
  return fit.replaceAll(/[&<>"\r]/g, (character) => ESCAPES[character]!);
}

export function xmlAnswer(
  action: string,
  shape: StructShape,
  value: unknown,
  requestId: string,
): string {
  const result = fieldsXml(shape, value as Readonly<Record<string, unknown>>);
  const inner = shape.entries.length === 0 ? '' : `<${action}Result>${result}</${action}Result>`;
  return (
    `${DECLARATION}<${action}Response xmlns="${NAMESPACE}">${inner}` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`
  );
}

export function xmlError(error: SqsError, requestId: string): string {
  const type = error.senderFault ? 'Sender' : 'Receiver';
  return (
    `${DECLARATION}<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>${type}</Type>` +
    `<Code>${error.queryCode}</Code><Message>${escapeXml(error.message)}</Message><Detail/>` +
    `</Error><RequestId>${requestId}</RequestId></ErrorResponse>`
  );
}

type StructValue = Readonly<Record<string, unknown>>;

function fieldsXml(shape: StructShape, value: StructValue): string {
  let xml = '';
  for (const [name, field] of shape.entries) {
    const inner = value[name];
    if (inner !== undefined) xml += elementXml(name, field.shape, inner);
  }
  return xml;
}

/** The field `name`: one element, or one for each member. */
function elementXml(name: string, shape: Shape, value: unknown): string {
  return WRITERS[shape.kind](name, value as never, shape as never);
}

type Writer<Kind, Value> = (
  name: string,
  value: Value,
  shape: Extract<Shape, { kind: Kind }>,
) => string;

interface Values {
  text: string;
  body: never;
  whole: number;
  flag: boolean;
  bytes: Uint8Array;
  list: readonly unknown[];
  map: readonly (readonly [key: string, value: unknown])[];
  struct: StructValue;
}

const WRITERS: { readonly [Kind in Shape['kind']]: Writer<Kind, Values[Kind]> } = {
  text: (name, value) => `<${name}>${escapeXml(value)}</${name}>`,
  // Only sent, never answered: what is received is a text.
  body: () => '',
  whole: (name, value) => `<${name}>${value}</${name}>`,
  flag: (name, value) => `<${name}>${value}</${name}>`,
  bytes: (name, value) => `<${name}>${base64OfBytes(value)}</${name}>`,
  list: (_, value, { queryName, member }) =>
    value.map((inner) => elementXml(queryName, member, inner)).join(''),
  map: (_, value, { queryName, keyName, value: inner }) =>
    value
      .map(([key, text]) => {
        const keyXml = `<${keyName}>${escapeXml(key)}</${keyName}>`;
        return `<${queryName}>${keyXml}${elementXml('Value', inner, text)}</${queryName}>`;
      })
      .join(''),
  struct: (name, value, shape) => `<${name}>${fieldsXml(shape, value)}</${name}>`,
};
