/* Records without what a replay has no use for: the bodies of messages. A digested SEND or RELOCATE
 * is laid out as the record is, but of each entry only the header, the group id and the
 * deduplication id are left; the header still says how long the entry is in the log. Pure. */

import * as entry from '../command/message-entry.ts';
import * as record from './event-record.ts';

/** The bytes of the entry at `at` that a digest keeps. */
export function digestedEntryBytes(buffer: Uint8Array, at: number): number {
  return (
    entry.ENTRY_HEADER_BYTES +
    buffer[at + entry.GROUP_BYTES_AT]! +
    buffer[at + entry.DEDUPLICATION_BYTES_AT]!
  );
}

/** Writes the digest of the record of `length` bytes at `at` to `to` and returns its length, which
 *  is never more. */
export function digestRecord(
  source: Buffer,
  view: DataView,
  at: number,
  length: number,
  target: Buffer,
  to: number,
): number {
  const kind = source[at + record.KIND_AT]!;
  if (kind === record.SEND) {
    const room = view.getUint16(at + record.SEND_ROOM_AT, true);
    const count = view.getUint16(at + record.COUNT_AT, true);
    const head = record.SEND_SLOTS_AT + room * 4;
    return digestEntries(source, view, at, head, count, record.SEND_DIGEST, target, to);
  }
  if (kind === record.RELOCATE) {
    const head = record.RELOCATE_HEADER_BYTES;
    return digestEntries(source, view, at, head, 1, record.RELOCATE_DIGEST, target, to);
  }
  source.copy(target, to, at, at + length);
  return length;
}

function digestEntries(
  source: Buffer,
  view: DataView,
  at: number,
  head: number,
  count: number,
  kind: number,
  target: Buffer,
  to: number,
): number {
  source.copy(target, to, at, at + head);
  target[to + record.KIND_AT] = kind;
  let from = at + head;
  let end = to + head;
  for (let i = 0; i < count; i++) {
    const group = entry.groupIdOffset(source, from);
    const kept = digestedEntryBytes(source, from);
    source.copy(target, end, from, from + entry.ENTRY_HEADER_BYTES);
    // The ids follow the header at once: the MD5 between them is left out.
    target[end + entry.FLAGS_AT]! &= ~entry.FLAG_MD5;
    source.copy(
      target,
      end + entry.ENTRY_HEADER_BYTES,
      group,
      group + kept - entry.ENTRY_HEADER_BYTES,
    );
    end += kept;
    from += view.getUint32(from + entry.ENTRY_BYTES_AT, true);
  }
  return end - to;
}
