/* What the main thread and a door's thread tell each other. Cold; structured clones. */

import type { RouterStart } from '../broker/remote-router.ts';
import type { DamageReport } from './admin/health.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The start of a door's thread. */
export interface DoorStart {
  readonly door: number;
  readonly host: string;
  readonly port: number;
  readonly router: RouterStart;
  readonly version: string;
  readonly startedAtMs: number;
  readonly durability: string;
  /** What clients are told to call the server; undefined: what they called it themselves. */
  readonly publicUrl: string | undefined;
  /** What clients of the native protocol must bring; undefined: nothing. */
  readonly token: string | undefined;
  /** Memory of all doors' counters, and of all threads' lags. */
  readonly counters: SharedArrayBuffer;
  readonly loopLags: SharedArrayBuffer;
  readonly threadNames: readonly string[];
  readonly damages: readonly DamageReport[];
}

export type ToDoor =
  /** Finish what has begun, close every socket, end the thread. */
  | { readonly kind: 'close'; readonly patienceMs: number }
  /** What scrubbing has found damaged. */
  | { readonly kind: 'damages'; readonly damages: readonly DamageReport[] };

export type FromDoor =
  | { readonly kind: 'listening' }
  | { readonly kind: 'failed'; readonly message: string }
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly fields: object;
      readonly message: string;
    };
