/* Gives the oldest regions of the log back: at once when nothing in them is needed any more; else,
 * when the log has grown far beyond what lives in it, by copying the stragglers to the head first.
 * Owned by the partition's thread.
 *
 * Copying is paced: a little every five milliseconds, between the turns that serve requests, so
 * that one that comes meanwhile finds the thread and the disk free soon. What is appended meanwhile
 * is made up for: by so much more in each step that cleaning keeps up with any load. */

import { assert } from '../base/assert.ts';
import * as entry from '../command/message-entry.ts';
import type { Log, LogPosition } from '../log/log.ts';
import * as record from '../queue/event-record.ts';
import type { QueueState } from '../queue/queue-state.ts';
import { relocate, replaceBefore } from '../queue/relocation.ts';

/** The log may be this many times as long as what lives in it would be, copied, and this part of a
 *  region. With the region that is written to and two spares, what is on disk stays below twice
 *  what lives, and four regions. */
const STORED_PER_LIVE_MAX = 1.5;
const REGIONS_ALLOWED = 0.5;
/** What a step scans: far less than a millisecond's work. */
const SCAN_BYTES_MIN = 64 * 1024;
const SCAN_BYTES_MAX = 1024 * 1024;
/** And for each byte that others have appended since the last one: of two that are scanned, more
 *  than one is given back. */
const SCANNED_PER_APPENDED = 3;
const PAUSE_MS = 5;
/** A step is put off while there are requests to commit, but not for longer, */
const PATIENCE_MS = 5;
/** and not once they have appended so much. */
const PATIENCE_BYTES = 128 * 1024;
/** Beyond its entry, what a message takes in the log once it is copied: its record, and a little of
 *  its frame. */
const RELOCATION_OVERHEAD_BYTES = record.RELOCATE_HEADER_BYTES + 8;

export class Cleaner {
  readonly #log: Log;
  readonly #state: QueueState;
  /** Where the scan of the oldest region goes on; undefined: none is under way. */
  #scanAt: LogPosition | undefined;
  /** When a scan goes on; far away when none is under way. */
  dueAt = Number.POSITIVE_INFINITY;
  /** What lies before it in the log has been made up for. */
  #paidUpTo: LogPosition = 0;
  regionsCleaned = 0;
  relocatedBytes = 0;

  constructor(log: Log, state: QueueState) {
    this.#log = log;
    this.#state = state;
  }

  get isCopying(): boolean {
    return this.#scanAt !== undefined;
  }

  /** Takes a step. True when another one is to be taken at once. */
  step(now: number): boolean {
    const log = this.#log;
    const oldest = log.firstRegion;
    if (oldest >= log.currentRegion) return false;
    if (this.#state.store.regions.messagesIn(oldest) === 0) {
      this.#release(now);
      return true;
    }
    if (this.#scanAt === undefined) {
      this.dueAt = Number.POSITIVE_INFINITY;
      if (!this.#isOverlong()) return false;
      this.#scanAt = oldest * log.regionBytes;
      this.#paidUpTo = log.claimedPosition;
    } else if (!this.#isTime(now)) {
      return false;
    }
    const owed = (log.claimedPosition - this.#paidUpTo) * SCANNED_PER_APPENDED;
    const bytes = Math.min(SCAN_BYTES_MIN + owed, SCAN_BYTES_MAX);
    this.#scanAt = log.scan(this.#scanAt, bytes, this.#copyLiving);
    this.#paidUpTo = log.claimedPosition;
    this.dueAt = now + PAUSE_MS;
    // At the region's end, nothing lives in it any longer: the next step releases it.
    return this.#scanAt === undefined;
  }

  #isTime(now: number): boolean {
    const { dirty, claimedPosition } = this.#log;
    if (claimedPosition - this.#paidUpTo >= PATIENCE_BYTES) return true;
    return now >= (dirty ? this.dueAt + PATIENCE_MS : this.dueAt);
  }

  #isOverlong(): boolean {
    const { regionBytes, firstRegion, currentRegion, claimedPosition } = this.#log;
    const { regions } = this.#state.store;
    const end = Math.max(claimedPosition, currentRegion * regionBytes);
    const live = regions.bytes + this.#state.table.count * RELOCATION_OVERHEAD_BYTES;
    const allowed = live * STORED_PER_LIVE_MAX + REGIONS_ALLOWED * regionBytes;
    return end - firstRegion * regionBytes > allowed;
  }

  /** Releases every region up to the first that holds a message. */
  #release(now: number): void {
    const log = this.#log;
    const { regions } = this.#state.store;
    let end = log.firstRegion + 1;
    while (end < log.currentRegion && regions.messagesIn(end) === 0) end++;
    this.regionsCleaned += end - log.firstRegion;
    replaceBefore(this.#state, end, now);
    assert(log.commit() === undefined, 'the log of this actor is durable when commit returns');
    log.release(end);
    regions.forget(end);
    this.#scanAt = undefined;
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  readonly #copyLiving = (
    buffer: Buffer,
    view: DataView,
    at: number,
    _length: number,
    position: LogPosition,
  ): void => {
    const kind = view.getUint8(at + record.KIND_AT);
    if (kind === record.RELOCATE) {
      const slot = view.getUint32(at + record.RELOCATE_SLOT_AT, true);
      const from = at + record.RELOCATE_HEADER_BYTES;
      this.#copyIfAt(slot, position + record.RELOCATE_HEADER_BYTES, buffer, from);
    } else if (kind === record.SEND) {
      const count = view.getUint16(at + record.COUNT_AT, true);
      const room = view.getUint16(at + record.SEND_ROOM_AT, true);
      let from = at + record.SEND_SLOTS_AT + room * 4;
      for (let i = 0; i < count; i++) {
        const slot = view.getUint32(at + record.SEND_SLOTS_AT + i * 4, true);
        this.#copyIfAt(slot, position + (from - at), buffer, from);
        from += view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      }
    }
  };

  /** Copies the entry at `position`, and at `from` in `buffer`, if it is that of the message in
   *  `slot`. */
  #copyIfAt(slot: number, position: LogPosition, buffer: Buffer, from: number): void {
    const { store, table } = this.#state;
    if (!store.isAt(slot, position)) return;
    this.relocatedBytes += table.entryBytes(slot);
    relocate(this.#state, slot, buffer, from);
  }
}
