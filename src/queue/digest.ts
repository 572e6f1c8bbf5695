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

/** Where digests go; that of the log is one. */
interface DigestSink {
  readonly buffer: Buffer;
  readonly view: DataView;
  claim(length: number): number;
}

/** Writes the digest of the record of `length` bytes at `at`. */
export function digestRecord(
  sink: DigestSink,
  source: Buffer,
  view: DataView,
  at: number,
  length: number,
): void {
  const kind = source[at + record.KIND_AT]!;
  if (kind === record.SEND) {
    const room = view.getUint16(at + record.SEND_ROOM_AT, true);
    const count = view.getUint16(at + record.COUNT_AT, true);
    const head = record.SEND_SLOTS_AT + room * 4;
    digestEntries(sink, source, view, at, head, count, record.SEND_DIGEST);
  } else if (kind === record.RELOCATE) {
    const head = record.RELOCATE_HEADER_BYTES;
    digestEntries(sink, source, view, at, head, 1, record.RELOCATE_DIGEST);
  } else {
    const to = sink.claim(length);
    source.copy(sink.buffer, to, at, at + length);
  }
}

function digestEntries(
  sink: DigestSink,
  source: Buffer,
  view: DataView,
  at: number,
  head: number,
  count: number,
  kind: number,
): void {
  let length = head;
  let from = at + head;
  for (let i = 0; i < count; i++) {
    length += digestedEntryBytes(source, from);
    from += view.getUint32(from + entry.ENTRY_BYTES_AT, true);
  }
  const to = sink.claim(length);
  const { buffer, view: target } = sink;
  source.copy(buffer, to, at, at + head);
  buffer[to + record.KIND_AT] = kind;
  from = at + head;
  let end = to + head;
  for (let i = 0; i < count; i++) {
    const ids = entry.groupIdOffset(source, from);
    const kept = digestedEntryBytes(source, from);
    // So few bytes are copied by hand in a fraction of what a call takes.
    for (let byte = 0; byte < entry.ENTRY_HEADER_BYTES; byte += 4) {
      target.setUint32(end + byte, view.getUint32(from + byte, true), true);
    }
    // The ids follow the header at once: the MD5 between them is left out.
    buffer[end + entry.FLAGS_AT]! &= ~entry.FLAG_MD5;
    const idBytes = kept - entry.ENTRY_HEADER_BYTES;
    if (idBytes > 0) source.copy(buffer, end + entry.ENTRY_HEADER_BYTES, ids, ids + idBytes);
    end += kept;
    from += view.getUint32(from + entry.ENTRY_BYTES_AT, true);
  }
}
