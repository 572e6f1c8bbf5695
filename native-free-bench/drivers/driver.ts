/* What a load needs of a queue server, whatever it speaks. Each driver is one protocol of one
 * server; loads are written once, against this, so that all are driven alike. */

export interface DriverOptions {
  readonly url: string;
  readonly queue: string;
  /** Size of each body; its first ten characters are the sequence number. */
  readonly bodyBytes: number;
  /** The largest batch of one call. */
  readonly batch: number;
  /** Connections that senders and receivers take turns on, where a connection can be shared. */
  readonly connections: number;
  /** A FIFO queue whose messages go round so many groups; undefined: a standard queue. */
  readonly groups?: number | undefined;
  /** How long a receive waits for its first message. */
  readonly waitMs: number;
}

export interface Received {
  readonly sequences: readonly number[];
  /** What the driver needs to delete them. */
  readonly receipts: readonly unknown[];
}

/** One call at a time each. */
export interface Sender {
  /** Messages `first` .. `first + count - 1`, at most a batch; resolves once all are durable. */
  send(first: number, count: number): Promise<void>;
}

/** One receive and one delete at a time each. */
export interface Receiver {
  /** At most `max` messages; none when there was nothing to be had in time. */
  receive(max: number): Promise<Received>;
  /** Resolves once the messages are durably gone. */
  delete(receipts: readonly unknown[]): Promise<void>;
}

/** `queue` is by default that of the options. */
export interface Driver {
  /** Creates the queue where it does not exist. */
  createQueue(queue?: string): Promise<void>;
  sender(queue?: string): Promise<Sender>;
  receiver(queue?: string): Promise<Receiver>;
  close(): Promise<void>;
}

/** Connects. */
export type OpenDriver = (options: DriverOptions) => Promise<Driver>;

export const NOTHING: Received = { sequences: [], receipts: [] };

/** The group of a message of a FIFO queue. */
export function groupOf(sequence: number, groups: number): string {
  return `g${sequence % groups}`;
}
