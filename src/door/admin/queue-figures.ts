/* The queues as the admin door shows them: the deepest ones, up to a bound, because a server can
 * have a hundred thousand and neither a metrics store nor a table should. */

import { QUEUES_LISTED_MAX } from '../../base/limits.ts';
import type { QueueCounts, QueueService } from '../../broker/service.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';

/** The most queues of one answer. */
export const QUEUES_SHOWN_MAX = 500;
export const QUEUES_SHOWN_DEFAULT = 100;

export interface QueueFigures extends QueueCounts {
  readonly name: string;
  readonly fifo: boolean;
  readonly deadLetterQueue: string | null;
  /** null: the queue is empty, or its partitions did not say. */
  readonly oldestSentAtMs: number | null;
}

export interface QueueSelection {
  readonly queues: readonly QueueFigures[];
  /** How many queues there are. */
  readonly total: number;
}

interface Counted {
  readonly queue: QueueDefinition;
  readonly counts: QueueCounts;
  readonly messages: number;
}

/** The `max` deepest queues, sorted by name. */
export async function queueFigures(service: QueueService, max: number): Promise<QueueSelection> {
  const counted = allCounted(service);
  const total = counted.length;
  const deepest =
    total <= max
      ? counted
      : counted
          .toSorted((a, b) => b.messages - a.messages)
          .slice(0, max)
          .toSorted((a, b) => (a.queue.name < b.queue.name ? -1 : 1));
  return { queues: await Promise.all(deepest.map((each) => figuresOf(service, each))), total };
}

function allCounted(service: QueueService): Counted[] {
  const counted: Counted[] = [];
  let after: string | undefined;
  for (;;) {
    const page = service.listQueues({ max: QUEUES_LISTED_MAX, after });
    for (const queue of page) {
      const counts = service.counts(queue);
      const messages = counts.visible + counts.inFlight + counts.delayed;
      counted.push({ queue, counts, messages });
    }
    if (page.length < QUEUES_LISTED_MAX) return counted;
    after = page.at(-1)?.name;
  }
}

async function figuresOf(service: QueueService, each: Counted): Promise<QueueFigures> {
  const { queue, counts, messages } = each;
  const { fifo, redrivePolicy } = queue.attributes;
  return {
    name: queue.name,
    fifo,
    deadLetterQueue: redrivePolicy?.deadLetterQueue ?? null,
    visible: counts.visible,
    inFlight: counts.inFlight,
    delayed: counts.delayed,
    oldestSentAtMs: messages === 0 ? null : await oldestOf(service, queue),
  };
}

async function oldestOf(service: QueueService, queue: QueueDefinition): Promise<number | null> {
  try {
    return (await service.oldestSentAtMs(queue)) ?? null;
  } catch {
    // A partition is away, or the queue has just been deleted: the other figures still hold.
    return null;
  }
}
