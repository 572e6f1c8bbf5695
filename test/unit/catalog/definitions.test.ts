import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CatalogChange, Definitions } from '../../../src/catalog/definitions.ts';
import type { QueueDefinition } from '../../../src/command/queue-definition.ts';
import { deadLetteringTo, queueDefinition } from '../../support/queue-definitions.ts';

function names(definitions: readonly QueueDefinition[]): string[] {
  return definitions.map(({ name }) => name);
}

function defined(definition: QueueDefinition, created = true): CatalogChange {
  return { kind: 'defined', definition, created };
}

function ofNames(...list: string[]): Definitions {
  return new Definitions(list.map((name, index) => queueDefinition(index + 1, name)));
}

describe('definitions', () => {
  it('find a queue by name and by id', () => {
    const definitions = ofNames('b', 'a');
    expect(definitions.find('a')).toMatchObject({ queueId: 2 });
    expect(definitions.byId(1)).toMatchObject({ name: 'b' });
    expect(definitions.find('c')).toBeUndefined();
    expect(definitions.byId(3)).toBeUndefined();
    expect(definitions.size).toBe(2);
  });

  it('of queues that are alike have one set of attributes between them, also once cloned', () => {
    const alike = [1, 2].map((queueId) => structuredClone(queueDefinition(queueId, `q${queueId}`)));
    const odd = queueDefinition(3, 'q3', deadLetteringTo('dead'));
    const cloned = structuredClone([...new Definitions([...alike, odd]).all()]);
    const [first, second, third] = cloned.map(({ attributes }) => attributes);
    expect(first).toEqual(alike[0]!.attributes);
    expect(second).toBe(first);
    expect(third).toEqual(odd.attributes);
  });

  it('list by prefix, sorted by code units, after a name, up to a count', () => {
    const definitions = ofNames('b-1', 'a', 'b', 'B', 'b-2', 'c', 'b_3');
    expect(names(definitions.list({ max: 100 }))).toEqual([
      'B',
      'a',
      'b',
      'b-1',
      'b-2',
      'b_3',
      'c',
    ]);
    const bs = { prefix: 'b', max: 2 };
    expect(names(definitions.list(bs))).toEqual(['b', 'b-1']);
    expect(names(definitions.list({ ...bs, after: 'b-1' }))).toEqual(['b-2', 'b_3']);
    expect(names(definitions.list({ ...bs, after: 'b_3' }))).toEqual([]);
    expect(names(definitions.list({ ...bs, after: 'a' }))).toEqual(['b', 'b-1']);
    expect(names(definitions.list({ ...bs, after: 'b-1-gone-since' }))).toEqual(['b-2', 'b_3']);
  });

  it('let a deleted name be used again by another queue', () => {
    const definitions = ofNames('a', 'b');
    const first = definitions.find('a')!;
    definitions.apply({ kind: 'deleted', definition: first });
    expect(definitions.byId(first.queueId)).toBeUndefined();
    expect(names(definitions.list({ max: 10 }))).toEqual(['b']);
    definitions.apply(defined(queueDefinition(7, 'a')));
    expect(definitions.find('a')).toMatchObject({ queueId: 7 });
    // The change about the first one is of no effect on its successor.
    definitions.apply({ kind: 'deleted', definition: first });
    expect(names(definitions.list({ max: 10 }))).toEqual(['a', 'b']);
  });

  it('know the sources of a dead-letter queue through changes and deletions', () => {
    const definitions = new Definitions([
      queueDefinition(1, 'dead'),
      queueDefinition(2, 'z', deadLetteringTo('dead')),
      queueDefinition(3, 'y', deadLetteringTo('dead')),
    ]);
    expect(definitions.deadLetterSources('dead')).toEqual(['y', 'z']);
    definitions.apply(defined(queueDefinition(2, 'z', deadLetteringTo('other')), false));
    expect(definitions.deadLetterSources('dead')).toEqual(['y']);
    expect(definitions.deadLetterSources('other')).toEqual(['z']);
    definitions.apply(defined(queueDefinition(2, 'z'), false));
    definitions.apply({ kind: 'deleted', definition: definitions.find('y')! });
    expect(definitions.deadLetterSources('dead')).toEqual([]);
    expect(definitions.deadLetterSources('other')).toEqual([]);
  });

  it('cross threads: a change survives a structured clone', () => {
    const change = defined(queueDefinition(1, 'a', deadLetteringTo('dead')));
    expect(structuredClone(change)).toEqual(change);
  });

  it('agree with a plain list under any changes', () => {
    const name = fc.constantFrom('a', 'ab', 'abc', 'b', 'ba', 'c', 'c-1', 'C', '_');
    const target = fc.option(name, { nil: undefined });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('define' as const), name, target }),
      fc.record({ kind: fc.constant('delete' as const), name }),
      fc.record({
        kind: fc.constant('list' as const),
        prefix: fc.constantFrom('', 'a', 'ab', 'b', 'x'),
        after: fc.option(name, { nil: undefined }),
        max: fc.integer({ min: 1, max: 6 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const definitions = new Definitions();
        let model: QueueDefinition[] = [];
        let nextId = 1;
        for (const taken of steps) {
          if (taken.kind === 'define') {
            const before = model.find((queue) => queue.name === taken.name);
            const policy = taken.target === undefined ? {} : deadLetteringTo(taken.target);
            const definition = queueDefinition(before?.queueId ?? nextId++, taken.name, policy);
            model = [...model.filter((queue) => queue !== before), definition];
            definitions.apply(defined(definition, before === undefined));
          } else if (taken.kind === 'delete') {
            const definition = model.find((queue) => queue.name === taken.name);
            if (definition === undefined) continue;
            model = model.filter((queue) => queue !== definition);
            definitions.apply({ kind: 'deleted', definition });
          } else {
            const { prefix, after = '', max } = taken;
            const expected = names(model)
              .filter((queue) => queue.startsWith(prefix) && queue > after)
              .toSorted()
              .slice(0, max);
            expect(names(definitions.list(taken))).toEqual(expected);
          }
        }
        expect(definitions.size).toBe(model.length);
        for (const queue of model) {
          expect(definitions.find(queue.name)).toEqual(queue);
          expect(definitions.byId(queue.queueId)).toEqual(queue);
          const sources = model.filter(
            ({ attributes }) => attributes.redrivePolicy?.deadLetterQueue === queue.name,
          );
          expect(definitions.deadLetterSources(queue.name)).toEqual(names(sources).toSorted());
        }
      }),
    );
  });

  it('page through 100,000 queues, and find single ones while they come and go', () => {
    const definitions = new Definitions();
    const count = 100_000;
    // Multiplied by a number coprime to the count, the indices come in a scattered order.
    const nameOf = (index: number) => `queue-${String((index * 7919) % count).padStart(6, '0')}`;
    for (let index = 0; index < count; index++) {
      definitions.apply(defined(queueDefinition(index + 1, nameOf(index))));
    }
    const found: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = definitions.list({ prefix: 'queue-', max: 1000, after });
      if (page.length === 0) break;
      found.push(...names(page));
      after = found.at(-1);
    }
    expect(found).toHaveLength(count);
    expect(found).toEqual(found.toSorted());

    for (let index = 0; index < 1000; index++) {
      definitions.apply(defined(queueDefinition(count + index + 1, `queue-a${index}`)));
      const [first] = definitions.list({ prefix: `queue-a${index}`, max: 1 });
      expect(first?.name).toBe(`queue-a${index}`);
      definitions.apply({ kind: 'deleted', definition: definitions.find(nameOf(index))! });
    }
    expect(definitions.size).toBe(count);
  });
});
