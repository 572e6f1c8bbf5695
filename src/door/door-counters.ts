/* What each door has done, counted per door thread on shared memory and summed up by whoever wants
 * to know. A thread stores into its own part only, so plain adds suffice; a reader may see a value
 * that is a moment old. */

export const DOORS = ['sqs', 'socket', 'rest'] as const;
export type Door = (typeof DOORS)[number];

export const DOOR_COUNTERS = ['requests', 'errors', 'sent', 'received', 'deleted'] as const;
export type DoorCounter = (typeof DOOR_COUNTERS)[number];

const THREAD_COUNTERS = DOORS.length * DOOR_COUNTERS.length;

/** Memory for the counters of `threads` door threads. */
export function allocateDoorCounters(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * THREAD_COUNTERS * Float64Array.BYTES_PER_ELEMENT);
}

/** One door of one thread. */
export class DoorCounters {
  readonly #values: Float64Array;
  readonly #from: number;

  constructor(memory: SharedArrayBuffer, thread: number, door: Door) {
    this.#values = new Float64Array(memory);
    this.#from = thread * THREAD_COUNTERS + DOORS.indexOf(door) * DOOR_COUNTERS.length;
  }

  request(): void {
    this.#add(0, 1);
  }

  error(): void {
    this.#add(1, 1);
  }

  sent(count: number): void {
    this.#add(2, count);
  }

  received(count: number): void {
    this.#add(3, count);
  }

  deleted(count: number): void {
    this.#add(4, count);
  }

  #add(counter: number, count: number): void {
    this.#values[this.#from + counter]! += count;
  }
}

export type DoorTotals = { readonly door: Door } & Readonly<Record<DoorCounter, number>>;

/** The sums over all threads. */
export function doorTotals(memory: SharedArrayBuffer): DoorTotals[] {
  const values = new Float64Array(memory);
  const sum = (door: number, counter: number): number => {
    let total = 0;
    const first = door * DOOR_COUNTERS.length + counter;
    for (let at = first; at < values.length; at += THREAD_COUNTERS) total += values[at]!;
    return total;
  };
  return DOORS.map((door, index) => ({
    door,
    requests: sum(index, 0),
    errors: sum(index, 1),
    sent: sum(index, 2),
    received: sum(index, 3),
    deleted: sum(index, 4),
  }));
}
