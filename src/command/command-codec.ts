/* Requests to a partition and its replies, as they lie in a ring frame. Little endian, no
 * alignment. This file is the only place that knows these bytes.
 *
 * A request:
 *   0      1      2       4             8          12        16
 *   +------+------+-------+-------------+----------+---------+------------
 *   | op   | 0    | count | correlation | queue id | operand | arguments
 *   +------+------+-------+-------------+----------+---------+------------
 *   op                  count       operand            arguments
 *   SEND                entries     -                  entries, see message-entry.ts
 *   RECEIVE             max         reply bytes max    timeout ms i32 (-1: queue's), attempt f64
 *   DELETE              receipts    -                  receipts, see receipt.ts
 *   CHANGE_VISIBILITY   receipts    -                  per entry: receipt, timeout ms u32
 *   PURGE, DROP         -           -                  -
 *   PEEK                max         reply bytes max    -
 *   MOVE                max         destination or 0   -
 *   DEFINE              -           -                  queue settings as JSON
 *   INSPECT             -           -                  -
 *   TAKE_OVER           entries     from partition     their sequences there f64, entries
 *   ARRIVED             -           -                  up to sequence f64; of a transit queue
 *   STOP                -           -                  -
 *   FAULT               kind        -                  -
 *
 * A reply:
 *   0      1       2       4             8         12        16
 *   +------+-------+-------+-------------+---------+---------+------------
 *   | op   | error | count | correlation | first   | second  | results
 *   +------+-------+-------+-------------+---------+---------+------------
 *   SEND                first 0: all accepted; results: the first's sequence f64, the others follow
 *                       first 1: per entry: error u8, duplicate u8, -, -, -, -, -, -,
 *                                sequence f64, message id 16 bytes
 *   RECEIVE, PEEK       per message: the delivery header below, then its entry
 *   DELETE,             first 0: all succeeded; first 1: results: an error u8 per receipt
 *   CHANGE_VISIBILITY
 *   MOVE                first: moved; second: still to move; results: stranded u32, in transit u32
 *   ARRIVED             first: messages left in that transit queue
 *   INSPECT             results: visible u32, in flight u32, delayed u32, oldest sent at f64
 *   VISIBLE             not a reply but a notice: correlation 0, first: the queue's id
 *
 * A delivery header:
 *   0         27  28       32         40        48               56              60
 *   +---------+---+--------+----------+---------+----------------+---------------+-------
 *   | receipt | 0 | source | sequence | sent at | first received | receive count | entry
 *   +---------+---+--------+----------+---------+----------------+---------------+-------
 * The receipt is the one of broker/receipt-handle.ts, big endian, without its MAC, which only
 * routers can make. Sequence and times are f64, times in milliseconds since the epoch; source is
 * the id of the queue that the message was dead-lettered from, or 0. The native protocol hands
 * deliveries on as they are. Loads in a browser. */

import { FRAME_BYTES_MAX } from '../base/limits.ts';

export const OP_SEND = 1;
export const OP_RECEIVE = 2;
export const OP_DELETE = 3;
export const OP_CHANGE_VISIBILITY = 4;
export const OP_PURGE = 5;
export const OP_DROP = 6;
export const OP_PEEK = 7;
export const OP_MOVE = 8;
export const OP_DEFINE = 9;
export const OP_INSPECT = 10;
export const OP_VISIBLE = 11;
export const OP_STOP = 12;
export const OP_FAULT = 13;
export const OP_TAKE_OVER = 14;
export const OP_ARRIVED = 15;

/** How OP_FAULT makes a partition fail, for tests of its supervision. */
export const FAULT_KINDS = ['throw', 'exit', 'hang'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const OP_AT = 0;
export const ERROR_AT = 1;
export const COUNT_AT = 2;
export const CORRELATION_AT = 4;

export const QUEUE_ID_AT = 8;
export const OPERAND_AT = 12;
export const REQUEST_HEADER_BYTES = 16;
export const RECEIVE_TIMEOUT_AT = 16;
export const RECEIVE_ATTEMPT_AT = 20;
export const RECEIVE_REQUEST_BYTES = 28;
export const TIMEOUT_OF_QUEUE = -1;

export const FIRST_AT = 8;
export const SECOND_AT = 12;
export const REPLY_HEADER_BYTES = 16;
export const UNIFORM = 0;
export const PER_ENTRY = 1;
export const SEND_RESULT_BYTES = 32;
export const SEND_RESULT_DUPLICATE_AT = 1;
export const SEND_RESULT_SEQUENCE_AT = 8;
export const SEND_RESULT_ID_AT = 16;
export const INSPECT_RESULT_BYTES = 20;
export const MOVE_RESULT_BYTES = 8;

/** Fields of the receipt that begins a delivery. */
export const SEALED_PARTITION_AT = 1;
export const SEALED_SLOT_AT = 3;
export const SEALED_SEQUENCE_AT = 7;
export const SEALED_DELIVERY_AT = 11;
export const SEALED_QUEUE_AT = 15;
export const SEALED_MAC_AT = 19;
export const SEALED_RECEIPT_BYTES = 27;
export const SEALED_VERSION = 1;

export const DELIVERY_SOURCE_AT = 28;
export const DELIVERY_SEQUENCE_AT = 32;
export const DELIVERY_SENT_AT = 40;
export const DELIVERY_FIRST_RECEIVED_AT = 48;
export const DELIVERY_COUNT_AT = 56;
export const DELIVERY_HEADER_BYTES = 60;

/** Room in a reply ring with which any command's reply fits. */
export const REPLY_SPACE_MIN = FRAME_BYTES_MAX;

export function writeRequestHeader(
  view: DataView,
  at: number,
  op: number,
  count: number,
  correlation: number,
  queueId: number,
  operand: number,
): void {
  view.setUint16(at + OP_AT, op, true);
  view.setUint16(at + COUNT_AT, count, true);
  view.setUint32(at + CORRELATION_AT, correlation, true);
  view.setUint32(at + QUEUE_ID_AT, queueId, true);
  view.setUint32(at + OPERAND_AT, operand, true);
}

export function writeReplyHeader(
  view: DataView,
  at: number,
  op: number,
  error: number,
  count: number,
  correlation: number,
  first: number,
  second: number,
): void {
  view.setUint16(at + OP_AT, op | (error << 8), true);
  view.setUint16(at + COUNT_AT, count, true);
  view.setUint32(at + CORRELATION_AT, correlation, true);
  view.setUint32(at + FIRST_AT, first, true);
  view.setUint32(at + SECOND_AT, second, true);
}
