/* Random commands for a partition, as plain objects: they print themselves and shrink well. */

import fc from 'fast-check';

/** Which queue: see QUEUES in partition-run.ts. */
type QueueName = 'work' | 'workDead' | 'fifo' | 'fifoDead' | 'slow';

export interface NewMessage {
  readonly group: number;
  readonly deduplication: number | undefined;
  readonly delayMs: number | undefined;
  readonly padding: number;
}

export type Command =
  | { readonly do: 'send'; readonly queue: QueueName; readonly messages: readonly NewMessage[] }
  | {
      readonly do: 'receive';
      readonly queue: QueueName;
      readonly max: number;
      readonly bytesMax: number;
      readonly timeoutMs: number;
      readonly attempt: number;
    }
  | { readonly do: 'delete'; readonly queue: QueueName; readonly picks: readonly number[] }
  | {
      readonly do: 'changeVisibility';
      readonly queue: QueueName;
      readonly picks: readonly number[];
      readonly timeoutMs: number;
    }
  | { readonly do: 'move'; readonly queue: QueueName; readonly back: boolean; readonly max: number }
  | { readonly do: 'define'; readonly queue: QueueName; readonly variant: number }
  | { readonly do: 'purge' | 'drop' | 'peek'; readonly queue: QueueName }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'clean'; readonly steps: number }
  | { readonly do: 'sweep' | 'endTurn' | 'kill' | 'cutPower' };

const queue = fc.constantFrom<QueueName>(
  'work',
  'work',
  'fifo',
  'fifo',
  'slow',
  'workDead',
  'fifoDead',
);
const picks = fc.array(fc.nat(30), { minLength: 1, maxLength: 4 });
const timeoutMs = fc.constantFrom(-1, 0, 1, 500, 5000, 60_000);

const newMessage: fc.Arbitrary<NewMessage> = fc.record({
  group: fc.nat(3),
  deduplication: fc.option(fc.nat(6), { nil: undefined }),
  delayMs: fc.option(fc.constantFrom(0, 700, 5000), { nil: undefined, freq: 4 }),
  padding: fc.oneof(fc.nat(20), fc.nat(1500)),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      queue,
      messages: fc.array(newMessage, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('receive' as const),
      queue,
      max: fc.integer({ min: 1, max: 6 }),
      bytesMax: fc.constantFrom(1, 1000, 100_000),
      timeoutMs,
      attempt: fc.constantFrom(0, 0, 1, 2),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('delete' as const), queue, picks }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('changeVisibility' as const),
      queue,
      picks,
      timeoutMs: fc.constantFrom(0, 0, 1, 3000, 60_000, 43_200_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      queue: fc.constantFrom<QueueName>('workDead', 'fifoDead'),
      back: fc.boolean(),
      max: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('define' as const), queue, variant: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('purge', 'drop'), queue }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('peek' as const), queue }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 500, 1000, 6000, 30_000, 301_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('clean' as const),
      steps: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('endTurn', 'endTurn', 'sweep', 'kill', 'cutPower'),
    }),
  },
);

export const commands: fc.Arbitrary<Command[]> = fc.array(command, {
  minLength: 1,
  maxLength: 200,
  size: 'max',
});
