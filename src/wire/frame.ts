/* The vocabulary of the native protocol, for both of its ends: kinds of frames, codes with which a
 * connection is closed, and limits. PROTOCOL.md beside the server's end is normative; this file
 * follows it. Pure; loads in a browser. */

import { FRAME_BYTES_MAX, QUEUE_NAME_CHARS_MAX } from '../base/limits.ts';

/** Raised by every change that an older peer would misread. */
export const PROTOCOL_VERSION = 1;

/** The first element of a frame. Requests are below 32, what the server sends is above. */
export const FRAME = {
  HELLO: 1,
  BIND: 2,
  SEND: 3,
  RECEIVE: 4,
  DELETE: 5,
  EXTEND: 6,
  CANCEL: 7,
  SUBSCRIBE: 8,
  CREDIT: 9,
  UNSUBSCRIBE: 10,
  CALL: 11,
  PING: 12,
  RELEASE: 13,

  WELCOME: 32,
  SENT: 33,
  SENT_EACH: 34,
  MESSAGES: 35,
  DONE: 36,
  DONE_EACH: 37,
  RESULT: 38,
  FAILED: 39,
  PUSH: 40,
  ENDED: 41,
  QUEUE_NAME: 42,
} as const;

/** Elements of each frame, its kind among them. */
export const FRAME_FIELDS: Readonly<Record<number, number>> = {
  [FRAME.HELLO]: 4,
  [FRAME.BIND]: 3,
  [FRAME.SEND]: 5,
  [FRAME.RECEIVE]: 7,
  [FRAME.DELETE]: 5,
  [FRAME.EXTEND]: 5,
  [FRAME.CANCEL]: 2,
  [FRAME.SUBSCRIBE]: 6,
  [FRAME.CREDIT]: 3,
  [FRAME.UNSUBSCRIBE]: 3,
  [FRAME.CALL]: 4,
  [FRAME.PING]: 2,
  [FRAME.RELEASE]: 5,
  [FRAME.WELCOME]: 4,
  [FRAME.SENT]: 4,
  [FRAME.SENT_EACH]: 4,
  [FRAME.MESSAGES]: 4,
  [FRAME.DONE]: 2,
  [FRAME.DONE_EACH]: 4,
  [FRAME.RESULT]: 3,
  [FRAME.FAILED]: 4,
  [FRAME.PUSH]: 4,
  [FRAME.ENDED]: 4,
  [FRAME.QUEUE_NAME]: 3,
};

/** WebSocket close codes. The last three digits are those of the HTTP status that is closest. */
export const CLOSE = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  MALFORMED: 4400,
  UNAUTHORIZED: 4401,
  UNEXPECTED: 4405,
  NO_HELLO: 4408,
  TOO_LARGE: 4413,
  VERSION: 4426,
  OVER_LIMIT: 4429,
  INTERNAL: 4500,
  SLOW_CONSUMER: 4503,
} as const;

/** After these a client does not connect again by itself: it would fare no better. */
export const FATAL_CLOSE_CODES: ReadonlySet<number> = new Set([CLOSE.UNAUTHORIZED, CLOSE.VERSION]);

/** After these a client does not send again what it has sent: one of those frames was the
 *  reason. */
export const POISONED_CLOSE_CODES: ReadonlySet<number> = new Set([
  1009, // A message is too big, says WebSocket.
  CLOSE.MALFORMED,
  CLOSE.UNEXPECTED,
  CLOSE.TOO_LARGE,
  CLOSE.OVER_LIMIT,
]);

// Limits of one connection; WELCOME tells those that a client must keep.
/** One WebSocket message: a full batch, and room for small frames beside it. */
export const SOCKET_MESSAGE_BYTES_MAX = FRAME_BYTES_MAX + 64 * 1024;
/** Requests that are not answered yet: bounds what the server keeps for them. */
export const PENDING_REQUESTS_MAX = 4096;
/** Queue names that are bound to handles. */
export const HANDLES_MAX = 4096;
export const SUBSCRIPTIONS_MAX = 256;
/** Messages that the server may push to one subscription. */
export const CREDIT_MAX = 1_000_000;
/** A frame but for its bytes: options, arguments of a call, and what it results in. */
export const COLD_FRAME_BYTES_MAX = 256 * 1024;
/** Arrays and maps within each other. */
export const NESTING_MAX = 16;
export const TOKEN_CHARS_MAX = 4096;
export const ATTEMPT_ID_CHARS_MAX = 128;
/** What an error says for people; the rest of it is cut off. */
export const DETAIL_CHARS_MAX = 4096;
export { QUEUE_NAME_CHARS_MAX };

/** A peer broke the protocol: its connection is closed with `closeCode`, and nothing else
 *  happens. */
export class ProtocolViolation extends Error {
  override name = 'ProtocolViolation';
  readonly closeCode: number;

  constructor(closeCode: number, reason: string) {
    super(reason);
    this.closeCode = closeCode;
  }
}

export function malformed(reason: string): ProtocolViolation {
  return new ProtocolViolation(CLOSE.MALFORMED, reason);
}
