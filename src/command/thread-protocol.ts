/* What threads tell each other outside the rings: how a partition's thread is started, and the few
 * messages that the supervisor and it exchange. Cold; structured clones. */

import type { ClockAnchor } from '../base/clock.ts';
import type { Durability } from '../base/durability.ts';
import type { BoardDescriptor } from './board.ts';
import type { QueueSettings } from './queue-definition.ts';

/** Of what the digests of a partition's log keep; one of another version is not used. */
export const DIGEST_CONTENT_VERSION = 1;

/** The way between one router and one partition, as shared memory. */
export interface LinkDescriptor {
  readonly router: number;
  /** Carries the router's requests, and the partition's replies. */
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
  /** Rung by the partition when there is something in `replies`. */
  readonly routerDoorbell: SharedArrayBuffer;
  /** Rung by the router when there is something in `requests`. */
  readonly partitionDoorbell: SharedArrayBuffer;
}

export interface LogSettings {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly windowBytes: number;
  readonly durability: Durability;
}

/** The start of a partition's thread. */
export interface PartitionStart {
  readonly partition: number;
  readonly log: LogSettings;
  readonly board: BoardDescriptor;
  readonly clock: ClockAnchor;
  readonly links: readonly LinkDescriptor[];
  readonly doorbell: SharedArrayBuffer;
  /** Every queue's settings at the time of the start; later ones come through the ring. */
  readonly queues: readonly QueueSettings[];
  /** Lets OP_FAULT through, which makes the thread fail on purpose. */
  readonly faults: boolean;
}

/** What a partition's thread posts to the supervisor. */
export type PartitionMessage =
  | {
      readonly kind: 'running';
      readonly recoveryMs: number;
      readonly messages: number;
      /** One line on what recovery found, when it found anything remarkable. */
      readonly remark: string | undefined;
    }
  /** The log has begun another segment: prepare the next one ahead of use. */
  | { readonly kind: 'segment' }
  /** The log has given segments up: remove what is left of them. */
  | { readonly kind: 'retired' }
  /** Of a segment that is complete: store it beside the segment. */
  | { readonly kind: 'digest'; readonly index: number; readonly digest: Uint8Array }
  /** The thread ends because of this; it exits next. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'stopped' };
