/* Wakes one thread that sleeps because none of its rings has work. LAYOUT.md says why no wake-up is
 * lost. `sleep` and `armAsync` are for the thread that owns the bell, `ring` for all others. */

const AWAKE = 0;
const ASLEEP = 1;
const STATE = 0;

export function allocateDoorbell(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

export class Doorbell {
  readonly #word: Int32Array;
  #closed = false;

  constructor(memory: SharedArrayBuffer) {
    this.#word = new Int32Array(memory);
  }

  /** Wakes the owner if it sleeps. Call it after publishing what there is to see. */
  ring(): void {
    const word = this.#word;
    if (Atomics.load(word, STATE) === AWAKE) return;
    // Of several that ring at once, one pays for the wake-up.
    if (Atomics.compareExchange(word, STATE, ASLEEP, AWAKE) === ASLEEP) {
      Atomics.notify(word, STATE);
    }
  }

  /** Blocks the thread until the bell rings or `timeoutMs` have passed; not at all when `hasWork`
   *  says so, which is asked after everybody can see that the thread is about to sleep. */
  sleep(timeoutMs: number, hasWork: () => boolean): void {
    const word = this.#word;
    Atomics.store(word, STATE, ASLEEP);
    if (!hasWork()) Atomics.wait(word, STATE, ASLEEP, timeoutMs);
    Atomics.store(word, STATE, AWAKE);
  }

  /** Calls `onRing` once, from the event loop, when the bell rings; soon when `hasWork` says so. */
  armAsync(onRing: () => void, hasWork: () => boolean): void {
    if (this.#closed) return;
    const word = this.#word;
    Atomics.store(word, STATE, ASLEEP);
    if (hasWork()) {
      Atomics.store(word, STATE, AWAKE);
      setImmediate(this.#unlessClosed, onRing);
      return;
    }
    const wait = Atomics.waitAsync(word, STATE, ASLEEP);
    if (wait.async) void wait.value.then(() => this.#unlessClosed(onRing));
    else setImmediate(this.#unlessClosed, onRing);
  }

  readonly #unlessClosed = (onRing: () => void): void => {
    if (!this.#closed) onRing();
  };

  /** No `onRing` is called any more. */
  close(): void {
    this.#closed = true;
    Atomics.store(this.#word, STATE, AWAKE);
    Atomics.notify(this.#word, STATE);
  }
}
