/* The read model of the catalog: every thread with a router has one, and keeps it up to date by
 * applying the changes that the catalog broadcasts, in the order of their commits. */

import type { QueueAttributes, QueueDefinition } from '../command/queue-definition.ts';

/** One committed change, as it is broadcast; a structured clone. */
export type CatalogChange =
  | {
      readonly kind: 'defined';
      readonly definition: QueueDefinition;
      /** False: a queue that was there was changed. */
      readonly created: boolean;
    }
  | { readonly kind: 'deleted'; readonly definition: QueueDefinition };

export interface ListOptions {
  readonly prefix?: string | undefined;
  readonly max: number;
  /** Names up to and including this one are left out. */
  readonly after?: string | undefined;
}

/** Fewer new names than this are inserted into the sorted list one by one. */
const INSERT_ONE_BY_ONE_MAX = 32;

/** So many different sets of attributes are kept to be shared. */
const SHARED_ATTRIBUTES_MAX = 1024;
const NO_TAGS: QueueDefinition['tags'] = Object.freeze({});

export class Definitions {
  /** By their JSON. Most queues of a server are alike: they have one set of attributes between
   *  them, here and in the clones that other threads get of all. */
  readonly #attributes = new Map<string, QueueAttributes>();
  /** The one that was found last. */
  #latest: QueueAttributes | undefined;
  readonly #byName = new Map<string, QueueDefinition>();
  readonly #byId = new Map<number, QueueDefinition>();
  /** Every name is in exactly one of these two. New ones are sorted in when a list is asked for, so
   *  that 100,000 creations in a row do not move 100,000 names each. */
  #sorted: string[] = [];
  readonly #unsorted = new Set<string>();
  /** Names of the queues whose redrive policy names the key, whether that exists or not. */
  readonly #deadLetterSources = new Map<string, Set<string>>();

  constructor(definitions: Iterable<QueueDefinition> = []) {
    for (const definition of definitions) {
      this.apply({ kind: 'defined', definition, created: true });
    }
  }

  get size(): number {
    return this.#byName.size;
  }

  find(name: string): QueueDefinition | undefined {
    return this.#byName.get(name);
  }

  byId(queueId: number): QueueDefinition | undefined {
    return this.#byId.get(queueId);
  }

  /** Every queue, in no order; it may change while it is walked. */
  all(): IterableIterator<QueueDefinition> {
    return this.#byId.values();
  }

  apply(change: CatalogChange): void {
    if (change.kind === 'deleted') this.#remove(change.definition);
    else this.#define(change.definition);
  }

  #define(given: QueueDefinition): void {
    const definition = this.#slim(given);
    const { name, queueId } = definition;
    const before = this.#byName.get(name);
    if (before === undefined) {
      this.#unsorted.add(name);
    } else {
      this.#unlink(before);
      if (before.queueId !== queueId) this.#byId.delete(before.queueId);
    }
    this.#byName.set(name, definition);
    this.#byId.set(queueId, definition);
    this.#link(definition);
  }

  #slim(definition: QueueDefinition): QueueDefinition {
    const { tags } = definition;
    return {
      ...definition,
      attributes: this.#shared(definition.attributes),
      tags: Object.keys(tags).length === 0 ? NO_TAGS : tags,
    };
  }

  #shared(attributes: QueueAttributes): QueueAttributes {
    // Those that were shared on another thread still are.
    if (attributes === this.#latest) return attributes;
    const text = JSON.stringify(attributes);
    const shared = this.#attributes.get(text) ?? attributes;
    if (this.#attributes.size < SHARED_ATTRIBUTES_MAX) this.#attributes.set(text, shared);
    this.#latest = shared;
    return shared;
  }

  #remove({ name, queueId }: QueueDefinition): void {
    const before = this.#byId.get(queueId);
    if (before === undefined) return;
    this.#unlink(before);
    this.#byId.delete(queueId);
    this.#byName.delete(name);
    if (!this.#unsorted.delete(name)) this.#sorted.splice(firstAtOrAfter(this.#sorted, name), 1);
  }

  #link({ name, attributes }: QueueDefinition): void {
    const target = attributes.redrivePolicy?.deadLetterQueue;
    if (target === undefined) return;
    const sources = this.#deadLetterSources.get(target);
    if (sources === undefined) this.#deadLetterSources.set(target, new Set([name]));
    else sources.add(name);
  }

  #unlink({ name, attributes }: QueueDefinition): void {
    const target = attributes.redrivePolicy?.deadLetterQueue;
    if (target === undefined) return;
    const sources = this.#deadLetterSources.get(target);
    sources?.delete(name);
    if (sources?.size === 0) this.#deadLetterSources.delete(target);
  }

  /** Names of the queues whose redrive policy names `name`, sorted. */
  deadLetterSources(name: string): string[] {
    return [...(this.#deadLetterSources.get(name) ?? [])].toSorted(byCodeUnits);
  }

  /** Sorted by name, by code units. */
  list({ prefix = '', max, after = '' }: ListOptions): QueueDefinition[] {
    this.#sort();
    const names = this.#sorted;
    let at = firstAtOrAfter(names, prefix > after ? prefix : after);
    if (names[at] === after) at++;
    const found: QueueDefinition[] = [];
    while (found.length < max && at < names.length && names[at]!.startsWith(prefix)) {
      found.push(this.#byName.get(names[at++]!)!);
    }
    return found;
  }

  #sort(): void {
    if (this.#unsorted.size === 0) return;
    if (this.#unsorted.size <= INSERT_ONE_BY_ONE_MAX) {
      for (const name of this.#unsorted) {
        this.#sorted.splice(firstAtOrAfter(this.#sorted, name), 0, name);
      }
    } else {
      // Two runs in order: the sort finds them and merges.
      const added = [...this.#unsorted].toSorted(byCodeUnits);
      this.#sorted = this.#sorted.concat(added).toSorted(byCodeUnits);
    }
    this.#unsorted.clear();
  }
}

function byCodeUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The index of the first name that is not less than `name`. */
function firstAtOrAfter(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
