/* Frames of the native protocol, made and read with nothing but a msgpack library and
 * PROTOCOL.md, as somebody else's client would. */

import { decodeMulti, encode } from '@msgpack/msgpack';

export type Frame = readonly unknown[];

/** One WebSocket message. */
export function message(...frames: Frame[]): Uint8Array {
  return Buffer.concat(frames.map((frame) => encode(frame)));
}

export function framesOf(bytes: Uint8Array): unknown[][] {
  // Bins are views: of a plain array, not of a Buffer.
  return [...decodeMulti(new Uint8Array(bytes))] as unknown[][];
}

export interface EntryFields {
  readonly body?: string | Uint8Array;
  readonly flags?: number;
  readonly group?: string;
  readonly deduplication?: string;
  readonly trace?: string;
  readonly attributes?: Uint8Array;
  readonly delayMs?: number;
}

export function entryBytes(fields: EntryFields): Buffer {
  const { group = '', deduplication = '', trace = '', attributes, delayMs = 0xffff_ffff } = fields;
  const body = Buffer.from(fields.body ?? '');
  const flags =
    fields.flags ?? (attributes === undefined ? 0 : 2) | (typeof fields.body === 'string' ? 4 : 0);
  const ids = [group, deduplication, trace].map((id) => Buffer.from(id));
  const parts = [...ids];
  if (attributes !== undefined) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(attributes.length);
    parts.push(length, Buffer.from(attributes));
  }
  parts.push(body);
  const rest = Buffer.concat(parts);
  const header = Buffer.alloc(32);
  header.writeUInt32LE(32 + rest.length, 0);
  header.writeUInt32LE(body.length, 4);
  header[24] = flags;
  ids.forEach((id, i) => {
    header[25 + i] = id.length;
  });
  header.writeUInt32LE(delayMs, 28);
  return Buffer.concat([header, rest]);
}

export interface DeliveryFields {
  readonly receipt: Buffer;
  readonly body: string;
  readonly receiveCount: number;
}

export function deliveriesOf(bytes: Uint8Array): DeliveryFields[] {
  const buffer = Buffer.from(bytes);
  const deliveries: DeliveryFields[] = [];
  for (let at = 0; at < buffer.length; ) {
    const end = at + 60 + buffer.readUInt32LE(at + 60);
    const bodyBytes = buffer.readUInt32LE(at + 64);
    deliveries.push({
      receipt: buffer.subarray(at, at + 27),
      body: buffer.toString('utf8', end - bodyBytes, end),
      receiveCount: buffer.readUInt32LE(at + 56),
    });
    at = end;
  }
  return deliveries;
}

export function timed(receipts: readonly Uint8Array[], timeoutMs: number): Buffer {
  const timeout = Buffer.alloc(4);
  timeout.writeUInt32LE(timeoutMs);
  return Buffer.concat(receipts.flatMap((receipt) => [receipt, timeout]));
}
