/* Writes JSON as the bytes that are sent, into memory that is used again: no text is made, joined
 * or encoded. Bodies of messages are copied from where they came, and searched in the copy. */

import { messageIdInto } from '../../command/message-id.ts';
import { BACKSLASH, QUOTE, SPACE, stopFrom } from './json-stops.ts';
import { digestHexInto } from './md5.ts';

const FIRST_BYTES = 64 * 1024;
/** More is given back once it is not needed any longer. */
const KEPT_BYTES_MAX = 1024 * 1024;
const DIGEST_CHARS = 32;
const ID_CHARS = 36;
const UTF8_BYTES_PER_CHAR_MAX = 3;
/** As `\u001f`. */
const ESCAPED_BYTES_MAX = 6;
/** What stands for a byte that cannot. */
const ESCAPES = Array.from({ length: 256 }, (_, byte) =>
  byte < SPACE || byte === QUOTE || byte === BACKSLASH
    ? Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1), 'latin1')
    : undefined,
);

/** What has the id of a message. */
export interface Identified {
  readonly messageId: string;
  /** Its bytes, where they are at hand. */
  readonly idBytes?: Uint8Array | undefined;
}

export class JsonBytes {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #words = new Int32Array(this.#bytes.buffer);
  #length = 0;

  /** Begins anew. */
  clear(): this {
    this.#length = 0;
    if (this.#bytes.length > KEPT_BYTES_MAX) {
      this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
      this.#words = new Int32Array(this.#bytes.buffer);
    }
    return this;
  }

  /** What was written; lent until the next `clear`. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const size = Math.max(this.#bytes.length * 2, this.#length + bytes);
    const grown = Buffer.allocUnsafeSlow(Math.ceil(size / 4) * 4);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#words = new Int32Array(grown.buffer);
  }

  /** `text` as it is: ASCII, and nothing that JSON escapes. */
  plain(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    const at = this.#length;
    for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
    this.#length = at + length;
  }

  /** JSON that is at hand as a text. */
  raw(json: string): void {
    this.#reserve(json.length * UTF8_BYTES_PER_CHAR_MAX);
    this.#length += this.#bytes.utf8Write(json, this.#length);
  }

  /** A message's id, without quotes. */
  id(of: Identified): void {
    const { idBytes } = of;
    if (idBytes === undefined) {
      this.plain(of.messageId);
      return;
    }
    this.#reserve(ID_CHARS);
    messageIdInto(idBytes, this.#bytes, this.#length);
    this.#length += ID_CHARS;
  }

  /** A digest as hexadecimal digits, without quotes. */
  digest(digest: Uint8Array): void {
    this.#reserve(DIGEST_CHARS);
    digestHexInto(digest, this.#bytes, this.#length);
    this.#length += DIGEST_CHARS;
  }

  /** A text in quotes. Surrogates that stand alone become U+FFFD. */
  text(text: string): void {
    this.#reserve(text.length * UTF8_BYTES_PER_CHAR_MAX + 2);
    const from = this.#open();
    this.#close(from, this.#bytes.utf8Write(text, from));
  }

  /** A text that is given as UTF-8, in quotes. */
  utf8(text: Uint8Array): void {
    this.#reserve(text.length + 2);
    const from = this.#open();
    this.#bytes.set(text, from);
    this.#close(from, text.length);
  }

  #open(): number {
    this.#bytes[this.#length++] = QUOTE;
    return this.#length;
  }

  /** Ends the text whose `length` bytes stand at `from` as they came. */
  #close(from: number, length: number): void {
    const end = from + length;
    this.#bytes[end] = QUOTE;
    const escapeAt = this.#escapeFrom(from, end);
    this.#length = end + 1;
    if (escapeAt < end) this.#escape(escapeAt, end);
  }

  /** The place of the first byte from `from` on that has to be escaped, or `end`, where a quote
   *  stands. */
  #escapeFrom(from: number, end: number): number {
    let at = stopFrom(this.#bytes, this.#words, from);
    while (at < end && ESCAPES[this.#bytes[at]!] === undefined) {
      at = stopFrom(this.#bytes, this.#words, at + 1);
    }
    return at;
  }

  /** Writes what stands from `from` up to `end` once more, escaped. */
  #escape(from: number, end: number): void {
    const rest = Buffer.from(this.#bytes.subarray(from, end));
    this.#length = from;
    this.#reserve(rest.length * ESCAPED_BYTES_MAX + 1);
    const bytes = this.#bytes;
    let to = from;
    for (const byte of rest) {
      const escape = ESCAPES[byte];
      if (escape === undefined) {
        bytes[to++] = byte;
      } else {
        for (const character of escape) bytes[to++] = character;
      }
    }
    bytes[to++] = QUOTE;
    this.#length = to;
  }
}
