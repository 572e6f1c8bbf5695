/* One front door: every protocol over one service, on one port. It belongs to the thread that
 * opens it. */

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { QueueService } from '../broker/service.ts';
import type { MeasurementSource } from './admin/measurements.ts';
import { createAdminProtocol } from './admin/protocol.ts';
import { DoorCounters } from './door-counters.ts';
import { frontOf } from './front.ts';
import type { HttpProtocol } from './http.ts';
import { createRestProtocol } from './rest/protocol.ts';
import type { SocketProtocol } from './socket-protocol.ts';
import { UwsServer } from './uws-server.ts';

export interface DoorOptions {
  readonly service: QueueService;
  readonly source: MeasurementSource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Memory of the doors' counters, and this door's place in it. */
  readonly counters: SharedArrayBuffer;
  readonly door: number;
  readonly sqs: HttpProtocol;
  readonly socket?: SocketProtocol | undefined;
}

/** Makes a door; it serves once `listen` was called. */
export function openDoor(options: DoorOptions): UwsServer {
  const { service, source, clock, logger, version, counters, door, sqs, socket } = options;
  const rest = createRestProtocol({ service, counters: new DoorCounters(counters, door, 'rest') });
  const admin = createAdminProtocol({ service, source, clock, version });
  return new UwsServer({ protocolOf: frontOf({ sqs, rest, admin }), socket, logger });
}
