/* Gives the oldest regions of the log back: at once when nothing in them is needed any more; else,
 * when the log has grown far beyond what lives in it, by copying the stragglers to the head first.
 * Owned by the partition's thread.
 *
 * Copying is paced: a little in a turn, and when nothing else happens, a little in a millisecond,
 * so that a request that comes meanwhile finds the thread and the disk free soon. The further the
 * log is beyond what it may be, the more is done at once, so that cleaning keeps up with any
 * load. */

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
/** Beyond that by this part of a region, cleaning goes on without a pause. */
const REGIONS_URGENT = 0.5;
/** What is scanned at once: far less than a millisecond; and when it is urgent. */
const SCAN_BYTES_MIN = 128 * 1024;
const SCAN_BYTES_MAX = 1024 * 1024;
const PAUSE_MS = 1;
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
  regionsCleaned = 0;
  relocatedBytes = 0;

  constructor(log: Log, state: QueueState) {
    this.#log = log;
    this.#state = state;
  }

  /** Takes a step. True when another one is to be taken at once. */
  step(now: number): boolean {
    const log = this.#log;
    const oldest = log.firstRegion;
    if (oldest >= log.currentRegion) return false;
    const isDue = now >= this.dueAt;
    if (this.#state.store.regions.messagesIn(oldest) === 0) {
      this.#release(now);
      return true;
    }
    const excess = this.#excess();
    if (this.#scanAt === undefined) {
      this.dueAt = Number.POSITIVE_INFINITY;
      if (excess <= 0) return false;
      this.#scanAt = oldest * log.regionBytes;
    } else if (!isDue && excess < 1) {
      return false;
    }
    const urgency = Math.min(1, Math.max(0, excess));
    const bytes = SCAN_BYTES_MIN + urgency * (SCAN_BYTES_MAX - SCAN_BYTES_MIN);
    this.#scanAt = log.scan(this.#scanAt, bytes, this.#copyLiving);
    this.dueAt = now + PAUSE_MS;
    // At the region's end, nothing lives in it any longer: the next step releases it.
    return this.#scanAt === undefined || excess >= 1;
  }

  /** How far the log is beyond what it may be: not when it is below zero; urgently from one on. */
  #excess(): number {
    const { regionBytes, firstRegion, currentRegion, claimedPosition } = this.#log;
    const { regions } = this.#state.store;
    const end = Math.max(claimedPosition, currentRegion * regionBytes);
    const live = regions.bytes + this.#state.table.count * RELOCATION_OVERHEAD_BYTES;
    const allowed = live * STORED_PER_LIVE_MAX + REGIONS_ALLOWED * regionBytes;
    return (end - firstRegion * regionBytes - allowed) / (REGIONS_URGENT * regionBytes);
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
