/* One router's end of one partition: frames go into the request ring, or into a bounded backlog
 * while that is full; replies find the request they answer. Runs on the router's thread.
 *
 * Invariants: frames leave in the order they were begun; every request that was begun ends exactly
 * once, with its reply or with a failure. */

import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/bytes.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import { FLUSH_BYTES, ROUTER_BACKLOG_BYTES_MAX } from '../base/limits.ts';
import { CORRELATION_AT } from '../command/command-codec.ts';
import type { LinkDescriptor } from '../command/thread-protocol.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { DuplexClientEnd } from '../ring/duplex.ts';
import { INSUFFICIENT } from '../ring/spsc-ring.ts';

/** What waits for a partition's reply. */
export interface PendingRequest {
  /** The reply is `length` bytes at `at`, lent for the length of the call. */
  onReply(buffer: Buffer, view: DataView, at: number, length: number): void;
  /** There will be no reply. What was asked may have happened or not. */
  onFailure(error: BrokerError): void;
}

/** A notice: a frame that answers no request. */
export type NoticeHandler = (view: DataView, at: number) => void;

const NO_REQUEST = 0;

/** A correlation is the router's life, in the bits from here up, and an index into its pending
 *  requests. A router that is made anew takes over the rings of the one before it, and with them
 *  the replies to what that one has asked. */
const LIFE_SHIFT = 24;
const LIFE_MASK = 0xff;
const INDEX_MASK = 0xff_ffff;

export class PartitionHandle {
  readonly partition: number;
  /** Where the frame begun last is to be written. */
  buffer: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(this.buffer.buffer);
  at = 0;
  /** Frames were begun since the last flush. */
  dirty = false;

  readonly #life: number;
  #end: DuplexClientEnd | undefined;
  #doorbell: Doorbell | undefined;
  #unavailable: ErrorCode = 'CAPSTAN_PARTITION_RESTARTING';
  /** Index 0 stays unused: correlation 0 marks a notice. The bounds of ring and backlog keep the
   *  indexes far below INDEX_MASK. */
  readonly #pending: (PendingRequest | undefined)[] = [undefined];
  readonly #freeIndexes: number[] = [];
  readonly #backlog: Buffer[] = [];
  #backlogBytes = 0;
  /** The frame begun last lies in the backlog, not in the ring. */
  #inBacklog = false;
  /** Of frames in the ring that were not let go yet. */
  #heldBytes = 0;

  /** @param life how many routers have had this one's rings before. */
  constructor(partition: number, life = 0) {
    this.partition = partition;
    this.#life = life & LIFE_MASK;
  }

  get running(): boolean {
    return this.#end !== undefined;
  }

  /** Requests begun and not answered. */
  get pendingCount(): number {
    return this.#pending.length - 1 - this.#freeIndexes.length;
  }

  /** The partition runs, and reads from `link`. */
  attach(link: LinkDescriptor): void {
    this.#end = new DuplexClientEnd(link);
    this.#doorbell = new Doorbell(link.partitionDoorbell);
  }

  /** The partition is gone; every pending request fails with `code`, as do all until `attach`. */
  detach(code: ErrorCode): void {
    this.#end = undefined;
    this.#doorbell = undefined;
    this.#unavailable = code;
    this.#backlog.length = 0;
    this.#backlogBytes = 0;
    this.dirty = false;
    const failed = this.#pending.splice(1);
    this.#freeIndexes.length = 0;
    for (const request of failed) request?.onFailure(this.unavailable());
  }

  unavailable(): BrokerError {
    const state =
      this.#unavailable === 'CAPSTAN_PARTITION_FAILED' ? 'has failed' : 'is not running';
    return new BrokerError(this.#unavailable, `Partition ${this.partition} ${state}.`);
  }

  /** Begins a frame of at most `bytes` bytes for `request`: `buffer`, `view` and `at` say where it
   *  is to be written, in full, before `finish`. Returns its correlation.
   *  Throws when the partition is not running, or CAPSTAN_THROTTLED past the backlog's bound. */
  begin(bytes: number, request: PendingRequest): number {
    const end = this.#end;
    if (end === undefined) throw this.unavailable();
    const at = this.#backlog.length > 0 ? INSUFFICIENT : end.requests.claim(bytes);
    if (at === INSUFFICIENT) {
      this.#beginInBacklog(bytes);
    } else {
      this.buffer = end.requests.buffer;
      this.view = end.requests.view;
      this.at = at;
      this.#inBacklog = false;
    }
    this.dirty = true;
    const index = this.#freeIndexes.pop() ?? this.#pending.length;
    this.#pending[index] = request;
    return ((this.#life << LIFE_SHIFT) | index) >>> 0;
  }

  #beginInBacklog(bytes: number): void {
    if (this.#backlogBytes + bytes > ROUTER_BACKLOG_BYTES_MAX) {
      throw new BrokerError(
        'CAPSTAN_THROTTLED',
        `Requests to partition ${this.partition} come faster than it can take them.`,
      );
    }
    const frame = Buffer.allocUnsafeSlow(bytes);
    this.#backlog.push(frame);
    this.#backlogBytes += bytes;
    this.buffer = frame;
    this.view = new DataView(frame.buffer);
    this.at = 0;
    this.#inBacklog = true;
  }

  /** The frame begun last is written, and is `length` bytes long. Of many, the first are let go. */
  finish(length: number): void {
    if (!this.#inBacklog) {
      this.#end!.requests.shrink(length);
      this.#heldBytes += length;
      if (this.#heldBytes >= FLUSH_BYTES) this.flush();
      return;
    }
    const frame = this.#backlog.pop()!;
    this.#backlogBytes -= frame.length - length;
    this.#backlog.push(frame.subarray(0, length));
  }

  /** Lets the frames begun so far go. */
  flush(): void {
    const end = this.#end;
    if (end === undefined) return;
    this.#drainBacklog(end);
    this.dirty = false;
    this.#heldBytes = 0;
    if (end.requests.publish()) this.#doorbell!.ring();
  }

  #drainBacklog(end: DuplexClientEnd): void {
    let taken = 0;
    let asked = false;
    while (taken < this.#backlog.length) {
      const frame = this.#backlog[taken]!;
      const at = end.requests.claim(frame.length);
      if (at === INSUFFICIENT) {
        if (asked) break;
        // Ask, then try once more: the reader may have made room in between.
        end.requests.requestSpace();
        asked = true;
        continue;
      }
      copyBytes(frame, 0, frame.length, end.requests.buffer, at);
      this.#backlogBytes -= frame.length;
      taken++;
    }
    if (taken > 0) this.#backlog.splice(0, taken);
  }

  /** True when `drain` would find something, or the backlog could move on. */
  hasWork(): boolean {
    const end = this.#end;
    if (end === undefined) return false;
    const waiting = this.#backlog[0];
    return (
      !end.replies.empty || (waiting !== undefined && end.requests.freeBytes >= waiting.length)
    );
  }

  /** Takes the replies that are there, until they were `bytesMax` or more. */
  drain(onNotice: NoticeHandler, bytesMax = Number.POSITIVE_INFINITY): void {
    const end = this.#end;
    if (end === undefined) return;
    const { replies } = end;
    let budget = bytesMax;
    while (budget > 0 && replies.next()) {
      budget -= replies.length;
      const { buffer, view, offset } = replies;
      const correlation = view.getUint32(offset + CORRELATION_AT, true);
      if (correlation === NO_REQUEST) {
        onNotice(view, offset);
        continue;
      }
      if (correlation >>> LIFE_SHIFT !== this.#life) continue;
      const index = correlation & INDEX_MASK;
      const request = this.#pending[index];
      assert(request !== undefined, 'a reply answers a request that is pending');
      this.#pending[index] = undefined;
      this.#freeIndexes.push(index);
      request.onReply(buffer, view, offset, replies.length);
    }
    if (replies.release()) this.#doorbell!.ring();
    if (this.#backlog.length > 0) this.flush();
  }
}
