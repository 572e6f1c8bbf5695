import { describe, expect, it } from 'vitest';
import { judge } from './history.ts';
import type { Content, Event } from './ledger.ts';

const PROMISES = { drained: true, fifo: true, exclusive: true };
const VISIBILITY_MS = 1000;

function content(order: number): Content {
  return { key: `k${order}`, group: 'g', order };
}

/** A message of group g, sent before anything else happens. */
function sent(order: number): Event[] {
  const times = { from: 1, to: 2 };
  return [
    { kind: 'sending', at: 0, ...content(order) },
    { kind: 'sent', messageId: `m${order}`, ...times, ...content(order) },
  ];
}

function received(order: number, at: number, consumer = 'a', receiveCount = 1): Event {
  const how = { consumer, receiveCount, visibilityMs: VISIBILITY_MS };
  const messageId = `m${order}`;
  return { kind: 'received', messageId, ...how, from: at, to: at + 1, ...content(order) };
}

function deleted(order: number, at: number): Event[] {
  const messageId = `m${order}`;
  return [
    { kind: 'deleting', messageId, at },
    { kind: 'deleted', messageId, from: at, to: at + 1 },
  ];
}

const GOOD = [
  ...sent(0),
  ...sent(1),
  received(0, 10),
  ...deleted(0, 20),
  received(1, 30, 'b'),
  ...deleted(1, 40),
];

describe('the judge of histories', () => {
  it('finds nothing wrong with one that keeps every promise', () => {
    expect(judge(GOOD, PROMISES)).toEqual({
      violations: [],
      sent: 2,
      received: 2,
      deleted: 2,
      redelivered: 0,
    });
  });

  it('takes late redeliveries, and a delete nobody answered, for what they are', () => {
    const events = [
      ...sent(0),
      received(0, 10),
      { kind: 'deleting', messageId: 'm0', at: 20 } as const,
      received(0, 10 + VISIBILITY_MS, 'b', 2),
      ...deleted(0, 1100),
    ];
    expect(judge(events, PROMISES)).toMatchObject({ violations: [], redelivered: 1 });
  });

  const CASES: readonly [string, RegExp, Event[]][] = [
    ['a message that is gone', /^lost: k1/, [...sent(0), ...sent(1), received(0, 10)]],
    ['a deleted message that is back', /^came back: k1/, [...GOOD, received(1, 2000, 'b', 2)]],
    ['a message that nobody sent', /^invented/, [...GOOD, received(7, 3000)]],
    ['a message in two hands', /^held twice: k0/, [...sent(0), received(0, 10), received(0, 500)]],
    [
      'a receive count that stands still',
      /^counted wrong/,
      [...sent(0), received(0, 10), received(0, 2000)],
    ],
    [
      'a duplicate that was stored',
      /^stored twice: k0/,
      [...GOOD, { ...received(0, 50), messageId: 'm9' } as Event],
    ],
    [
      'an order that is not that of the sends',
      /^out of order: g delivered 1 before 0/,
      [...sent(0), ...sent(1), received(1, 10), ...deleted(1, 15), received(0, 20)],
    ],
    [
      'a group in two hands',
      /^group held twice: g by a \(message 0\) and by b/,
      [...sent(0), ...sent(1), received(0, 10), received(1, 15, 'b'), ...deleted(0, 20)],
    ],
  ];

  it.each(CASES)('finds %s', (_, sentence, events) => {
    expect(judge(events, PROMISES).violations.join('\n')).toMatch(sentence);
  });
});
