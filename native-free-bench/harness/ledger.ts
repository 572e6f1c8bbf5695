/* What became of the messages of a run, exactly. Every message carries a sequence number; a tally
 * counts the numbers and sums two hashes of them, so that two tallies are equal only when they hold
 * the same numbers, whatever the order: a lost, doubled or mangled message shows. */

const HASH_A = 0x9e37_79b1;
const HASH_B = 0x85eb_ca6b;

export interface TallySnapshot {
  readonly count: number;
  readonly sumA: number;
  readonly sumB: number;
}

export interface LedgerSnapshot {
  readonly sent: TallySnapshot;
  readonly received: TallySnapshot;
  readonly deleted: TallySnapshot;
}

export class Tally {
  #count = 0;
  #sumA = 0;
  #sumB = 0;

  get count(): number {
    return this.#count;
  }

  add(sequence: number): void {
    const mixedA = Math.imul(sequence ^ (sequence >>> 15), HASH_A);
    const mixedB = Math.imul(sequence ^ (sequence >>> 13), HASH_B);
    this.#count += 1;
    this.#sumA = (this.#sumA + (mixedA ^ (mixedA >>> 16))) | 0;
    this.#sumB = (this.#sumB + (mixedB ^ (mixedB >>> 13))) | 0;
  }

  addRange(first: number, count: number): void {
    for (let i = 0; i < count; i++) this.add(first + i);
  }

  addAll(sequences: readonly number[]): void {
    for (const sequence of sequences) this.add(sequence);
  }

  snapshot(): TallySnapshot {
    return { count: this.#count, sumA: this.#sumA, sumB: this.#sumB };
  }
}

export class Ledger {
  readonly sent = new Tally();
  readonly received = new Tally();
  readonly deleted = new Tally();

  /** Sent and acknowledged, not yet deleted. */
  get open(): number {
    return this.sent.count - this.deleted.count;
  }

  snapshot(): LedgerSnapshot {
    return {
      sent: this.sent.snapshot(),
      received: this.received.snapshot(),
      deleted: this.deleted.snapshot(),
    };
  }
}

function mergedTally(tallies: readonly TallySnapshot[]): TallySnapshot {
  return tallies.reduce((sum, tally) => ({
    count: sum.count + tally.count,
    sumA: (sum.sumA + tally.sumA) | 0,
    sumB: (sum.sumB + tally.sumB) | 0,
  }));
}

/** The ledger of several load processes together. */
export function mergedLedger(ledgers: readonly LedgerSnapshot[]): LedgerSnapshot {
  return {
    sent: mergedTally(ledgers.map(({ sent }) => sent)),
    received: mergedTally(ledgers.map(({ received }) => received)),
    deleted: mergedTally(ledgers.map(({ deleted }) => deleted)),
  };
}

const sameTally = (a: TallySnapshot, b: TallySnapshot): boolean =>
  a.count === b.count && a.sumA === b.sumA && a.sumB === b.sumB;

/** What is wrong with the counts, in words; undefined: every message sent was received once and
 *  deleted once. */
export function imbalanceOf({ sent, received, deleted }: LedgerSnapshot): string | undefined {
  if (sameTally(sent, received) && sameTally(received, deleted)) return undefined;
  const counts = `${sent.count} sent, ${received.count} received, ${deleted.count} deleted`;
  return sent.count === received.count && received.count === deleted.count
    ? `${counts}, but not the same messages`
    : counts;
}
