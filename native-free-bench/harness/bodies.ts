/* Message bodies: ASCII text of a given size whose first ten characters are the message's sequence
 * number. The filler is words, so that a peer that compresses gains what it would gain
 * elsewhere. */

export const SEQUENCE_CHARS = 10;
const DIGIT_ZERO = 0x30;
const FILLER = ' order 7341 line 12 of 40 sku A-2291 two boxes, leave at the door, thank you;';

export function fillerText(bodyBytes: number): string {
  const fillerChars = Math.max(0, bodyBytes - SEQUENCE_CHARS);
  return FILLER.repeat(Math.ceil(fillerChars / FILLER.length)).slice(0, fillerChars);
}

/** Writes the ten digits of `sequence` at `offset`. */
export function writeSequence(bytes: Uint8Array, offset: number, sequence: number): void {
  let rest = sequence;
  for (let i = SEQUENCE_CHARS - 1; i >= 0; i--) {
    const tenth = Math.floor(rest / 10);
    bytes[offset + i] = DIGIT_ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}

export function readSequence(bytes: Uint8Array, offset = 0): number {
  let sequence = 0;
  for (let i = 0; i < SEQUENCE_CHARS; i++) {
    sequence = sequence * 10 + (bytes[offset + i]! - DIGIT_ZERO);
  }
  return sequence;
}

export function sequenceText(sequence: number): string {
  return String(sequence).padStart(SEQUENCE_CHARS, '0');
}

export function sequenceOfText(body: string): number {
  return Number(body.slice(0, SEQUENCE_CHARS));
}

/** Bodies for one batch at a time, made once and numbered anew for each batch: the load side then
 *  allocates nothing per message. Valid until the next call. */
export class BodyBatch {
  readonly #bodies: Uint8Array[];

  constructor(count: number, bodyBytes: number) {
    const template = Buffer.from('0'.repeat(SEQUENCE_CHARS) + fillerText(bodyBytes), 'latin1');
    this.#bodies = Array.from({ length: count }, () => new Uint8Array(template));
  }

  numbered(first: number, count: number): readonly Uint8Array[] {
    for (let i = 0; i < count; i++) writeSequence(this.#bodies[i]!, 0, first + i);
    return count === this.#bodies.length ? this.#bodies : this.#bodies.slice(0, count);
  }
}
