import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AcceptedMessage, messageIdText } from '../../../../src/command/message-id.ts';
import { JsonBytes } from '../../../../src/door/sqs/json-bytes.ts';
import { STOPS, stopFrom } from '../../../../src/door/sqs/json-stops.ts';

/** Of characters that JSON escapes, that it does not, and of every length in UTF-8. */
const TEXT = fc
  .array(
    fc.oneof(
      fc.constantFrom('"', '\\', '\0', '\t', '\n', '\u001f', '\u007f', '/'),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.constantFrom('\u00e9', '\uf000', '\uffff', '\u{1f600}', 'x'.repeat(300)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

describe('what is written as JSON', () => {
  it('is what JSON.parse reads back, whatever the text', () => {
    const json = new JsonBytes();
    fc.assert(
      fc.property(fc.array(TEXT, { maxLength: 6 }), (texts) => {
        json.clear();
        json.plain('[');
        for (const text of texts) {
          json.text(text);
          json.plain(',');
          json.utf8(Buffer.from(text));
          json.plain(',');
        }
        json.plain('1]');
        const parsed: unknown = JSON.parse(Buffer.from(json.written()).toString());
        expect(parsed).toEqual([...texts.flatMap((text) => [text, text]), 1]);
      }),
    );
  });

  it('has the escapes of JSON.stringify', () => {
    const json = new JsonBytes();
    const text = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    json.text(text);
    expect(Buffer.from(json.written()).toString()).toBe(JSON.stringify(text));
  });

  it('grows with what is written', () => {
    const json = new JsonBytes();
    const texts = [10, 70_000, 300_000].map((length) => '\n'.repeat(length));
    for (const text of texts) {
      json.clear();
      json.plain('{"a":');
      json.utf8(Buffer.from(text));
      json.plain('}');
      expect(JSON.parse(Buffer.from(json.written()).toString())).toEqual({ a: text });
    }
  });

  it('has ids and digests as their texts', () => {
    const json = new JsonBytes();
    const id = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i);
    const accepted = new AcceptedMessage(id, 300, 1);
    json.id({ messageId: '', idBytes: id });
    json.id(accepted);
    json.id({ messageId: 'other' });
    json.digest(id);
    expect(Buffer.from(json.written()).toString()).toBe(
      `${messageIdText(id, 0)}${accepted.messageId}other${Buffer.from(id).toString('hex')}`,
    );
    // The counter carries over.
    expect(accepted.messageId.slice(-8)).toBe('fcfe002b');
    expect(Buffer.from(id).toString('hex').slice(-8)).toBe('fcfdfeff');
  });
});

describe('the search for the end of a text', () => {
  it('finds the very byte, from every place', () => {
    const byte = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0x20, max: 0xff }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xff }) },
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
        const padded = new Uint8Array(64);
        padded.fill(0x61).set(bytes); // Not always is there one at the end.
        const words = new Int32Array(padded.buffer);
        for (let from = 0; from <= bytes.length; from++) {
          const naive = padded.findIndex((each, i) => i >= from && STOPS[each] === 1);
          expect(stopFrom(padded, words, from)).toBe(naive < 0 ? padded.length : naive);
        }
      }),
    );
  });
});
