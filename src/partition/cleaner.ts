/* Gives the oldest regions of the log back: at once when nothing in them is needed any more; else,
 * when the log has grown far beyond what lives in it, by copying the stragglers to the head first.
 * A little of it is done in each turn. Owned by the partition's thread. */

import { assert } from '../base/assert.ts';
import * as entry from '../command/message-entry.ts';
import type { Log, LogPosition } from '../log/log.ts';
import * as record from '../queue/event-record.ts';
import type { QueueState } from '../queue/queue-state.ts';
import { relocate, replaceBefore } from '../queue/relocation.ts';

/** The log may be this many times as long as the entries that live in it, and so many regions. */
const STORED_PER_LIVE_MAX = 2;
const REGIONS_ALLOWED = 3;
/** What one turn scans: less than a millisecond. */
const SCAN_BYTES_PER_TURN = 1024 * 1024;

export class Cleaner {
  readonly #log: Log;
  readonly #state: QueueState;
  /** Where the scan of the oldest region goes on; undefined: none is under way. */
  #scanAt: LogPosition | undefined;
  regionsCleaned = 0;
  relocatedBytes = 0;

  constructor(log: Log, state: QueueState) {
    this.#log = log;
    this.#state = state;
  }

  /** Does a turn's worth. True when there is more to do at once. */
  step(now: number): boolean {
    const log = this.#log;
    const oldest = log.firstRegion;
    if (oldest >= log.currentRegion) return false;
    if (this.#state.store.regions.messagesIn(oldest) === 0) {
      this.#release(now);
      return true;
    }
    if (this.#scanAt === undefined) {
      if (!this.#isOverlong()) return false;
      this.#scanAt = oldest * log.regionBytes;
    }
    this.#scanAt = log.scan(this.#scanAt, SCAN_BYTES_PER_TURN, this.#copyLiving);
    return true;
  }

  #isOverlong(): boolean {
    const log = this.#log;
    const held = (log.currentRegion - log.firstRegion) * log.regionBytes;
    const { bytes } = this.#state.store.regions;
    return held > bytes * STORED_PER_LIVE_MAX + REGIONS_ALLOWED * log.regionBytes;
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
  }

  readonly #copyLiving = (
    _buffer: Buffer,
    view: DataView,
    at: number,
    _length: number,
    position: LogPosition,
  ): void => {
    const kind = view.getUint8(at + record.KIND_AT);
    if (kind === record.RELOCATE) {
      const slot = view.getUint32(at + record.RELOCATE_SLOT_AT, true);
      this.#copyIfAt(slot, position + record.RELOCATE_HEADER_BYTES);
    } else if (kind === record.SEND) {
      const count = view.getUint16(at + record.COUNT_AT, true);
      const room = view.getUint16(at + record.SEND_ROOM_AT, true);
      let from = at + record.SEND_SLOTS_AT + room * 4;
      for (let i = 0; i < count; i++) {
        const slot = view.getUint32(at + record.SEND_SLOTS_AT + i * 4, true);
        this.#copyIfAt(slot, position + (from - at));
        from += view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      }
    }
  };

  /** Copies the entry at `position` if it is that of the message in `slot`. */
  #copyIfAt(slot: number, position: LogPosition): void {
    const { store, table } = this.#state;
    if (!store.isAt(slot, position)) return;
    this.relocatedBytes += table.entryBytes(slot);
    relocate(this.#state, this.#log, slot);
  }
}
