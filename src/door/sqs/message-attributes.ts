/* Message attributes: from what a sender gives to the block that is stored, and from the block to
 * what a receiver asks for. Rule: SQS developer guide, message metadata. */

import { MESSAGE_ATTRIBUTES_MAX } from '../../base/limits.ts';
import {
  attributeBytes,
  decodeAttributeBlock,
  encodeAttributeBlock,
  type MessageAttribute,
} from '../../command/message-attributes.ts';
import { isPlainText } from './message-checks.ts';
import type { ValueOf } from './shape.ts';
import type { SEND_MESSAGE } from './shapes.ts';
import { invalidParameter, SqsError } from './sqs-errors.ts';

export type SentAttributes = NonNullable<ValueOf<typeof SEND_MESSAGE>['MessageAttributes']>;
type SentValue = SentAttributes[number][1];

const NAME_CHARS_MAX = 256;
const TYPE_CHARS_MAX = 256;

/** Attributes in the form in which they are stored, and their size as SQS counts it. */
export interface EncodedAttributes {
  readonly block: Uint8Array;
  readonly bytes: number;
}

/** Checks `sent` and encodes it. Undefined: there are none. */
export function encodeAttributes(sent: SentAttributes | undefined): EncodedAttributes | undefined {
  if (sent === undefined || sent.length === 0) return undefined;
  if (sent.length > MESSAGE_ATTRIBUTES_MAX) {
    throw invalid(
      `Number of message attributes [${sent.length}] exceeds the allowed maximum ` +
        `[${MESSAGE_ATTRIBUTES_MAX}].`,
    );
  }
  const attributes = sent.map(([name, value]) => checkedAttribute(name, value));
  const names = new Set(attributes.map(({ name }) => name));
  if (names.size < attributes.length) throw invalid('A message attribute is given twice.');
  const block = encodeAttributeBlock(attributes);
  return { block, bytes: attributeBytes(block) };
}

function checkedAttribute(name: string, sent: SentValue): MessageAttribute {
  checkName(name);
  const { DataType: type } = sent;
  if (type === undefined || type.length === 0) {
    throw invalid(`The message attribute '${name}' must contain non-empty message attribute type.`);
  }
  return { name, type, value: attributeValue(name, type, sent) };
}

function checkName(name: string): void {
  if (name.length === 0) throw invalid('The message attribute name must not be empty.');
  if (name.length > NAME_CHARS_MAX) {
    throw invalid(
      `The length of message attribute name must be less than ${NAME_CHARS_MAX} bytes.`,
    );
  }
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
    throw invalid(
      'The message attribute name can contain the characters A-Z, a-z, 0-9, underscores (_), ' +
        'hyphens (-), and periods (.).',
    );
  }
  if (name.startsWith('.') || name.endsWith('.') || name.includes('..')) {
    throw invalid('You can not start or end the name with a period, or have two in a row.');
  }
  if (/^(aws|amazon)\./i.test(name)) {
    throw invalid("You can not use message attribute names starting with 'AWS.' or 'Amazon.'.");
  }
}

/** The value of the field that goes with the type; the others have to be empty. */
export function attributeValue(name: string, type: string, sent: SentValue): string | Uint8Array {
  if ((sent.StringListValues?.length ?? 0) + (sent.BinaryListValues?.length ?? 0) > 0) {
    throw new SqsError(
      'UnsupportedOperation',
      'Message attribute list values in SendMessage operation are not supported.',
    );
  }
  const logical = /^(String|Number|Binary)(\..+)?$/s.exec(type)?.[1];
  if (logical === undefined || type.length > TYPE_CHARS_MAX || !isPlainText(type)) {
    throw invalid(
      `The message attribute '${name}' has an invalid message attribute type, the set of ` +
        'supported type prefixes is Binary, Number, and String.',
    );
  }
  const isBinary = logical === 'Binary';
  const value = isBinary ? sent.BinaryValue : sent.StringValue;
  if (value === undefined || value.length === 0) {
    throw invalid(
      `The message attribute '${name}' must contain non-empty message attribute value for ` +
        `message attribute type '${type}'.`,
    );
  }
  if ((isBinary ? sent.StringValue : sent.BinaryValue)?.length) {
    throw invalid(`Message attribute '${name}' has values of more than one type.`);
  }
  if (typeof value === 'string') checkTextValue(name, logical, value);
  return value;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function checkTextValue(name: string, logical: string, value: string): void {
  if (logical === 'Number' && !NUMBER.test(value)) {
    throw invalid(`Can't cast the value of message (user) attribute '${name}' to a number.`);
  }
  if (isPlainText(value)) return;
  throw new SqsError(
    'InvalidMessageContents',
    `Invalid binary character was found in the message attribute '${name}', the set of allowed ` +
      'characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
  );
}

function invalid(message: string): SqsError {
  return new SqsError('InvalidParameterValueException', message);
}

/** Which attributes a receiver wants to see. */
export interface AttributeFilter {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** Undefined: none. Rule: SQS ReceiveMessage, MessageAttributeNames. */
export function attributeFilter(
  wanted: readonly string[] | undefined,
): AttributeFilter | undefined {
  if (wanted === undefined || wanted.length === 0) return undefined;
  if (wanted.some((name) => name.length === 0)) {
    throw invalidParameter('MessageAttributeNames', '', 'A name must not be empty.');
  }
  return {
    all: wanted.includes('All') || wanted.includes('.*'),
    names: new Set(wanted),
    prefixes: wanted.filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -1)),
  };
}

/** What of `block` passes, and the block of just that. Undefined: nothing does. */
export function selectAttributes(
  block: Uint8Array,
  { all, names, prefixes }: AttributeFilter,
): { readonly attributes: readonly MessageAttribute[]; readonly block: Uint8Array } | undefined {
  const stored = decodeAttributeBlock(block);
  const attributes = all
    ? stored
    : stored.filter(
        ({ name }) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix)),
      );
  if (attributes.length === 0) return undefined;
  const isWhole = attributes.length === stored.length;
  return { attributes, block: isWhole ? block : encodeAttributeBlock(attributes) };
}
