/* Every limit of Capstan, with its unit and its reason. */

import { assert } from './assert.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

// What a message and a batch may hold. Rule: SQS quotas.
export const MESSAGE_BYTES_MAX = 1 * MIB; // body and attributes together
export const MESSAGE_BYTES_MAX_FLOOR = 1 * KIB; // least MaximumMessageSize of a queue
export const BATCH_BYTES_MAX = 1 * MIB; // bodies and attributes of one batch
export const SQS_BATCH_ENTRIES_MAX = 10;
export const MESSAGE_ATTRIBUTES_MAX = 10;
export const GROUP_ID_BYTES_MAX = 128;
export const DEDUPLICATION_ID_BYTES_MAX = 128;

// What one native batch may hold.
export const BATCH_ENTRIES_MAX = 1000; // bounds one turn's work and one reply
export const ENTRY_OVERHEAD_BYTES_MAX = 960; // header, MD5, three ids, lengths of attributes

// Times, in milliseconds. Rule: SQS quotas.
export const VISIBILITY_TIMEOUT_MS_MAX = 43_200_000;
export const VISIBILITY_TIMEOUT_MS_DEFAULT = 30_000;
export const WAIT_MS_MAX = 20_000;
export const SQS_DELAY_MS_MAX = 900_000;
export const RETENTION_MS_MIN = 60_000;
export const RETENTION_MS_MAX = 1_209_600_000;
export const RETENTION_MS_DEFAULT = 345_600_000;
export const DEDUPLICATION_WINDOW_MS = 300_000;

// Queues.
export const QUEUE_NAME_CHARS_MAX = 80;
export const QUEUES_MAX = 131_072; // rows of the board
export const QUEUES_LISTED_MAX = 1000; // in one answer. Rule: SQS ListQueues.
export const MAX_RECEIVE_COUNT_MAX = 1000;
export const IN_FLIGHT_MAX_STANDARD = 120_000;
export const IN_FLIGHT_MAX_FIFO = 20_000;
export const IN_FLIGHT_MAX_CEILING = 100_000_000; // the most that a queue can be set to
export const RETRY_BACKOFF_FACTOR_MAX = 100;
export const TAGS_MAX = 50;
export const TAG_KEY_CHARS_MAX = 128;
export const TAG_VALUE_CHARS_MAX = 256;
export const REDRIVE_SOURCES_MAX = 10; // queues that a byQueue allow policy names
export const STORED_ATTRIBUTES_BYTES_MAX = 64 * KIB; // Policy and the like, of one queue
export const QUEUE_NAME_REUSE_MS = 60_000; // after a deletion, where waits are strict
export const PURGE_INTERVAL_MS = 60_000; // of one queue, where waits are strict. Rule: SQS.

// Move tasks. Rule: SQS StartMessageMoveTask and ListMessageMoveTasks.
export const MOVE_RATE_MAX = 500; // messages per second
export const MOVE_TASKS_KEPT = 10; // of one source queue

// Threads.
export const PARTITIONS_MAX = 64;
export const ROUTERS_MAX = 31; // one bit each in a board row's waiting mask

// Rings and log.
export const RING_BYTES = 4 * MIB; // one direction between one router and one partition
/** The largest frame a ring carries, and the largest record a log takes: a full batch. */
export const FRAME_BYTES_MAX = BATCH_BYTES_MAX + BATCH_ENTRIES_MAX * ENTRY_OVERHEAD_BYTES_MAX;
export const LOG_SEGMENT_BYTES_DEFAULT = 64 * MIB;
/** The newest bytes of a log, kept in memory: messages that are received soon cost no read. */
export const LOG_WINDOW_BYTES_MIN = 4 * MIB;
export const LOG_WINDOW_BYTES_MAX = 1024 * MIB;
/** By default a broker's windows together take this part of the machine's memory, and each of them
 *  at least and at most so much. */
export const WINDOWS_PART_OF_MEMORY = 1 / 512;
export const LOG_WINDOW_BYTES_DEFAULT_MIN = 16 * MIB;
export const LOG_WINDOW_BYTES_DEFAULT_MAX = 64 * MIB;

/** Requests of one router that a partition takes up in one turn, with what it answers, and new log
 *  bytes that end one. A turn that took all there is would have the router wait for its end, and
 *  then the partition for the router: with shorter ones, both work at the same time. */
export const TURN_BYTES_MAX = 128 * KIB;
export const LOG_COMMIT_BYTES_MAX = 4 * MIB;
/** Replies of one partition that a router takes up before it lets go what they led to, for the same
 *  reason. */
export const DRAIN_BYTES_MAX = 64 * KIB;
/** Requests to one partition that a router holds back, so that they leave together. */
export const FLUSH_BYTES = 64 * KIB;

/** Pending requests of one router to one partition, in bytes, before it sheds load. */
export const ROUTER_BACKLOG_BYTES_MAX = 32 * MIB;

// Doors.
/** Of one HTTP request: a full batch as JSON, every byte of it written as \uXXXX. */
export const HTTP_BODY_BYTES_MAX = 8 * MIB;
export const DOOR_REQUEST_BYTES_MAX = 64 * MIB; // held of requests that are still coming in
export const DOOR_ANSWER_BYTES_MAX = 128 * MIB; // held of large answers that clients do not read

// Supervision.
export const RESTART_INTENSITY_MAX = 5; // restarts within the period; one more fails the partition
export const RESTART_PERIOD_MS = 60_000;
export const HEARTBEAT_INTERVAL_MS = 500; // a watched thread wakes at least this often
export const HEARTBEAT_TIMEOUT_MS_DEFAULT = 5_000; // no heartbeat for so long: hung

assert(FRAME_BYTES_MAX * 2 < RING_BYTES, 'two of the largest frames fit a ring');
assert(FRAME_BYTES_MAX * 2 < LOG_WINDOW_BYTES_MIN, 'a batch fits the log window');
assert(FRAME_BYTES_MAX * 2 < HTTP_BODY_BYTES_MAX, 'a batch in base64 fits a request');
