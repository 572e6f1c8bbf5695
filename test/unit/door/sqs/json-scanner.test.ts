import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readJson } from '../../../../src/door/sqs/json-codec.ts';
import { scanJson } from '../../../../src/door/sqs/json-scanner.ts';
import { checkBodyText } from '../../../../src/door/sqs/message-checks.ts';
import * as shapes from '../../../../src/door/sqs/shapes.ts';

const SHAPES = Object.values(shapes).filter((shape) => shape.kind === 'struct');

/** Bodies as texts, so that both readers' results compare. */
function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, readable(inner)]));
}

/** Either the scanner leaves a request to the other reader, or both read the same. */
function checkAgreement(shape: (typeof SHAPES)[number], text: string | Buffer): boolean {
  const body = Buffer.from(text as string);
  const scanned = scanJson(shape, body);
  if (scanned === undefined) return false;
  expect(readable(scanned)).toEqual(readable(readJson(shape, body, undefined)));
  return true;
}

test.each([65_533, 65_534, 65_535, 65_536, 65_537, 131_071, 200_003])(
  'a request of %d bytes that ends in the middle of an escape is left to the other reader',
  (length) => {
    const start = '{"QueueUrl":"http://x/0/q","MessageBody":"';
    const end = '","MessageAttributes":{"a\\';
    const body = start + 'a'.repeat(length - start.length - end.length) + end;
    expect(body).toHaveLength(length);
    expect(scanJson(shapes.SEND_MESSAGE, Buffer.from(body))).toBeUndefined();
  },
);

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom('"', '\\', '/', '\n', '\t', '\uffff', '\ufeff', 'é', '😀', 'u0041'),
  }),
);
const scalar = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(text, scalar, { maxKeys: 3 }),
);
const entry = fc.record(
  {
    Id: fc.oneof(text, value),
    MessageBody: fc.oneof(text, value),
    DelaySeconds: fc.oneof(fc.nat(900), value),
    MessageGroupId: text,
    MessageAttributes: fc.dictionary(text, fc.record({ DataType: text, StringValue: text })),
    ReceiptHandle: text,
    VisibilityTimeout: fc.nat(),
    Unknown: value,
  },
  { requiredKeys: [] },
);
const request = fc.record(
  {
    QueueUrl: fc.oneof(text, value),
    MessageBody: text,
    Entries: fc.oneof(fc.array(entry, { maxLength: 3 }), value),
    AttributeNames: fc.array(text, { maxLength: 3 }),
    MaxNumberOfMessages: fc.oneof(fc.nat(), value),
    Attributes: fc.dictionary(text, text),
    Tags: fc.dictionary(text, text),
  },
  { requiredKeys: ['QueueUrl'] },
);

test('what is scanned is what is parsed, for any request of any action', () => {
  const property = fc.property(
    fc.constantFrom(...SHAPES),
    request,
    fc.constantFrom(undefined, 1, '\t'),
    (shape, parameters, space) => {
      checkAgreement(shape, JSON.stringify(parameters, null, space));
    },
  );
  fc.assert(property, { numRuns: 2000 });
});

test('what is scanned is what is parsed, also of JSON that was damaged', () => {
  const damaged = fc
    .tuple(request, fc.nat(), fc.constantFrom('"', '\\', '{', '}', ',', ':', '\u0000', '0', ' '))
    .map(([parameters, at, character]) => {
      const json = JSON.stringify(parameters);
      const place = at % (json.length + 1);
      return json.slice(0, place) + character + json.slice(place + (at % 2));
    });
  const property = fc.property(damaged, (json) => {
    checkAgreement(shapes.SEND_BATCH, json);
    checkAgreement(shapes.SEND_MESSAGE, json);
  });
  fc.assert(property, { numRuns: 2000 });
});

test('a body of any text that SQS takes is scanned, and no other', () => {
  const property = fc.property(text, fc.boolean(), (body, escaped) => {
    const json = JSON.stringify({ QueueUrl: 'q', MessageBody: body });
    const sent = escaped ? json.replaceAll(/[^ -~]/g, asEscape) : json;
    const isScanned = checkAgreement(shapes.SEND_MESSAGE, sent);
    if (isScanned) checkBodyText(body);
    else expect(() => checkBodyText(body)).toThrow('Invalid binary character');
  });
  fc.assert(property, { numRuns: 2000 });
});

function asEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const USUAL = [
  '{"QueueUrl":"q","Entries":[]}',
  ' { "QueueUrl" : "q" , "Entries" : [ { "Id" : "a" , "MessageBody" : "b" } ] } ',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"\\u00e9\\ud83d\\ude00","DelaySeconds":0}]}',
  '{"Entries":[{"MessageAttributes":{"n":{}},"MessageBody":"x","Id":"a"}],"QueueUrl":""}',
];
test.each(USUAL)('%s is usual', (json) => {
  expect(checkAgreement(shapes.SEND_BATCH, json)).toBe(true);
});

const UNUSUAL = [
  '',
  '{}',
  '[]',
  'null',
  '{"QueueUrl":"q","Entries":null}',
  '{"QueueUrl":"q","Entries":[{"Id":"a"}]}',
  '{"QueueUrl":"q","Entries":[]}x',
  '{"QueueUrl":"q","Entries":[],}',
  '{"QueueUrl":"q","Unknown":1}',
  '{"\\u0051ueueUrl":"q"}',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"b","DelaySeconds":1.5}]}',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"b","DelaySeconds":01}]}',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"b","DelaySeconds":99999999999}]}',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"\\ud800"}]}',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"\\u12"}]}',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"b',
  '{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"b\\',
];
test.each(UNUSUAL)('%s is left to the other reader', (json) => {
  expect(scanJson(shapes.SEND_BATCH, Buffer.from(json))).toBeUndefined();
});

test('bytes that are not UTF-8 are left to the other reader', () => {
  const body = Buffer.from('{"QueueUrl":"q","MessageBody":"\xff"}', 'latin1');
  expect(scanJson(shapes.SEND_MESSAGE, body)).toBeUndefined();
});
