/* The catalog: queue definitions and move tasks, durable in a log of their own. Main thread only.
 *
 * A change is decided against the state, written as a record, and applied; all changes of one turn
 * of the event loop share a commit. After the commit a change is published: `definitions` has it,
 * and `onChange` is called, in the order of the commits. The caller's promise resolves after that.
 *
 * Invariant: `definitions` never holds what is not durable. When a commit fails, memory is ahead of
 * the disk: every change under way is rejected, and the state is recovered from the log before the
 * next one. */

import { isDeepStrictEqual } from 'node:util';
import { BrokerError } from '../base/errors.ts';
import { LOG_COMMIT_BYTES_MAX, QUEUE_NAME_REUSE_MS, QUEUES_MAX } from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import {
  defaultAttributes,
  QUEUE_ID_MAX,
  type QueueAttributes,
  type QueueDefinition,
} from '../command/queue-definition.ts';
import type { Log, ReplayHandler } from '../log/log.ts';
import { editedPolicy, type PolicyEdit } from './access-policy.ts';
import { type CatalogRecord, decodeRecord, encodeRecord } from './catalog-record.ts';
import { CatalogState } from './catalog-state.ts';
import { type CatalogChange, Definitions } from './definitions.ts';
import type { MoveTaskRecord } from './move-task.ts';
import {
  ATTRIBUTE_NAMES,
  checkAttributes,
  checkDeadLetterTarget,
  checkName,
  checkTags,
  invalid,
  mergeAttributes,
  type Tags,
} from './queue-checks.ts';

/** The log is rewritten when it is this many times as long as what lives in it. */
const COMPACTION_FACTOR = 4;

export interface CatalogOptions {
  /** Opens the catalog's log, replaying what is in it. Called again after a commit has failed. */
  readonly openLog: (replay: ReplayHandler) => Log;
  /** Tells everyone of a change that is durable. Resolves when everyone acts by it. */
  readonly onChange: (change: CatalogChange) => Promise<void> | void;
  readonly logger: Logger;
  /** Refuses a queue's name for 60 seconds after its deletion, as SQS does. */
  readonly strictWaits: boolean;
  /** Rows of the board; as many queues there can be. */
  readonly boardRows?: number;
}

/** A change between its record and its publication. */
interface PendingChange {
  readonly change: CatalogChange | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Catalog {
  /** What is durable. */
  readonly definitions = new Definitions();

  readonly #options: CatalogOptions;
  #state!: CatalogState;
  #log!: Log;
  /** Undefined: the state agrees with the log. */
  #failure: unknown;
  #closed = false;
  /** Recorded, not yet handed to a commit. */
  #gathered: PendingChange[] = [];
  #commitScheduled = false;
  /** Handed to a commit that has not ended. */
  readonly #committing = new Set<readonly PendingChange[]>();
  /** The position after the last record. */
  #headPosition = 0;
  #compacting = false;
  /** No compaction before the log has grown beyond this position. */
  #compactAfter = 0;

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#recover();
    for (const definition of this.#state.definitions.all()) {
      this.definitions.apply({ kind: 'defined', definition, created: true });
    }
  }

  // Queues.

  /** Idempotent: a queue that is there is returned when every attribute that is given equals its
   *  own. Rule: SQS CreateQueue. */
  async createQueue(
    name: string,
    attributes: Partial<QueueAttributes>,
    tags: Tags,
    now: number,
  ): Promise<QueueDefinition> {
    const state = this.#writable();
    const existing = state.definitions.find(name);
    if (existing !== undefined) {
      checkSame(existing, attributes);
      await this.#settled();
      return existing;
    }
    const full = mergeAttributes(defaultAttributes(attributes.fifo ?? false), attributes);
    checkName(name, full.fifo);
    checkAttributes(full);
    checkDeadLetterTarget(name, full, state.definitions);
    checkTags(tags);
    this.#checkRoom(name, now);
    const definition: QueueDefinition = {
      queueId: state.nextQueueId,
      boardRow: state.rows.nextFree(),
      name,
      attributes: full,
      tags: { ...tags },
      createdAtMs: now,
      modifiedAtMs: now,
    };
    await this.#record({ kind: 'queue', body: definition });
    return definition;
  }

  #checkRoom(name: string, now: number): void {
    const state = this.#state;
    state.forgetDeletions(now);
    const deletedAtMs = this.#options.strictWaits ? state.deletedAtMs(name) : undefined;
    if (deletedAtMs !== undefined && now - deletedAtMs < QUEUE_NAME_REUSE_MS) {
      throw new BrokerError('CAPSTAN_QUEUE_DELETED_RECENTLY', `"${name}" was deleted just now.`);
    }
    if (state.rows.free === 0 || state.nextQueueId > QUEUE_ID_MAX) {
      const count = state.definitions.size;
      throw new BrokerError('CAPSTAN_TOO_MANY_QUEUES', `There are ${count} queues already.`);
    }
  }

  /** Attributes that are left out stay; one given as undefined takes its default. */
  async setAttributes(
    name: string,
    changes: Partial<QueueAttributes>,
    now: number,
  ): Promise<QueueDefinition> {
    const { definitions } = this.#writable();
    const existing = requireQueue(definitions, name);
    const attributes = mergeAttributes(existing.attributes, changes);
    if (attributes.fifo !== existing.attributes.fifo) {
      throw invalid('Whether a queue is a FIFO queue is settled when it is created.');
    }
    checkAttributes(attributes);
    const { redrivePolicy } = attributes;
    if (!isDeepStrictEqual(redrivePolicy, existing.attributes.redrivePolicy)) {
      checkDeadLetterTarget(name, attributes, definitions);
    }
    return this.#redefine(existing, { ...existing, attributes, modifiedAtMs: now });
  }

  async setTags(
    name: string,
    add: Tags,
    remove: readonly string[],
    now: number,
  ): Promise<QueueDefinition> {
    const existing = requireQueue(this.#writable().definitions, name);
    const kept = Object.entries({ ...existing.tags, ...add });
    const tags = Object.fromEntries(kept.filter(([key]) => !remove.includes(key)));
    checkTags(tags);
    return this.#redefine(existing, { ...existing, tags, modifiedAtMs: now });
  }

  async editPolicy(name: string, edit: PolicyEdit, now: number): Promise<QueueDefinition> {
    const existing = requireQueue(this.#writable().definitions, name);
    const { Policy: policy, ...others } = existing.attributes.stored;
    const edited = editedPolicy(policy, edit);
    const stored = edited === undefined ? others : { ...others, Policy: edited };
    const attributes = { ...existing.attributes, stored };
    checkAttributes(attributes);
    return this.#redefine(existing, { ...existing, attributes, modifiedAtMs: now });
  }

  async #redefine(before: QueueDefinition, after: QueueDefinition): Promise<QueueDefinition> {
    const same =
      isDeepStrictEqual(before.attributes, after.attributes) &&
      isDeepStrictEqual(before.tags, after.tags);
    if (same) {
      await this.#settled();
      return before;
    }
    await this.#record({ kind: 'queue', body: after });
    return after;
  }

  /** Resolves to the definition of the queue that is gone. */
  async deleteQueue(name: string, now: number): Promise<QueueDefinition> {
    const state = this.#writable();
    const existing = requireQueue(state.definitions, name);
    state.forgetDeletions(now);
    const { queueId } = existing;
    await this.#record({ kind: 'queue-deleted', body: { queueId, name, deletedAtMs: now } });
    return existing;
  }

  // Move tasks.

  /** Records a task as it is now: started, gone on, or ended. */
  async putMoveTask(task: MoveTaskRecord): Promise<void> {
    this.#writable();
    await this.#record({ kind: 'move-task', body: task });
  }

  findMoveTask(taskId: string): MoveTaskRecord | undefined {
    return this.#state.findMoveTask(taskId);
  }

  /** Those of one source, the newest first. */
  moveTasks(sourceQueueId: number): MoveTaskRecord[] {
    return this.#state.moveTasks(sourceQueueId);
  }

  unfinishedMoveTasks(): MoveTaskRecord[] {
    return this.#state.unfinishedMoveTasks();
  }

  /** Commits what is recorded, and closes the log. No change is taken after that. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#failure !== undefined) return;
    // What fails here has been told to whoever asked for it.
    await this.#settled().catch(() => undefined);
    if (this.#failure === undefined) await this.#log.close();
  }

  // Record, commit, publish.

  #writable(): CatalogState {
    if (this.#closed) throw new BrokerError('CAPSTAN_CLOSED', 'The catalog is closed.');
    if (this.#failure !== undefined) this.#recoverAfterFailure();
    return this.#state;
  }

  #record(record: CatalogRecord): Promise<void> {
    const bytes = this.#append(record);
    return this.#publication(this.#state.apply(record, bytes));
  }

  /** Writes a record into the log's current batch. Returns its length. */
  #append(record: CatalogRecord): number {
    const bytes = encodeRecord(record);
    const log = this.#log;
    const at = log.claim(bytes.length);
    log.buffer.set(bytes, at);
    this.#headPosition = log.claimedPosition + bytes.length;
    return bytes.length;
  }

  /** Resolves when everything recorded so far is published. */
  async #settled(): Promise<void> {
    if (this.#gathered.length > 0 || this.#committing.size > 0 || this.#log.dirty) {
      await this.#publication(undefined);
    }
  }

  #publication(change: CatalogChange | undefined): Promise<void> {
    if (!this.#commitScheduled) {
      this.#commitScheduled = true;
      setImmediate(() => void this.#commit());
    }
    return new Promise((resolve, reject) => this.#gathered.push({ change, resolve, reject }));
  }

  async #commit(): Promise<void> {
    this.#commitScheduled = false;
    const batch = this.#gathered;
    if (batch.length === 0) return;
    this.#gathered = [];
    this.#committing.add(batch);
    const log = this.#log;
    try {
      await log.commit();
    } catch (error) {
      this.#fail(log, error);
      return;
    }
    // A failure meanwhile has answered this batch.
    if (!this.#committing.delete(batch)) return;
    for (const pending of batch) this.#publish(pending);
    this.#compactIfWorthwhile();
  }

  #publish({ change, resolve, reject }: PendingChange): void {
    if (change === undefined) {
      resolve();
      return;
    }
    this.definitions.apply(change);
    Promise.resolve(this.#options.onChange(change)).then(resolve, reject);
  }

  #fail(log: Log, error: unknown): void {
    if (log !== this.#log || this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.logger.error({ error }, 'the catalog could not be committed');
    const rejected = [...this.#committing, this.#gathered].flat();
    this.#committing.clear();
    this.#gathered = [];
    for (const pending of rejected) pending.reject(error);
  }

  // Recovery.

  #recover(): void {
    const state = new CatalogState(this.#options.boardRows ?? QUEUES_MAX);
    let head = 0;
    this.#log = this.#options.openLog((buffer, _view, offset, length, position) => {
      state.apply(decodeRecord(buffer.subarray(offset, offset + length)), length);
      head = position + length;
    });
    this.#state = state;
    this.#headPosition = head;
    this.#compactAfter = 0;
  }

  /** Recovers, and publishes where the disk differs from what was published: a commit that failed
   *  may have reached it. Throws what opening the log throws, as often as it does. */
  #recoverAfterFailure(): void {
    this.#recover();
    this.#failure = undefined;
    const found = this.#state.definitions;
    const changes: CatalogChange[] = [];
    for (const definition of this.definitions.all()) {
      if (found.byId(definition.queueId) === undefined)
        changes.push({ kind: 'deleted', definition });
    }
    for (const definition of found.all()) {
      const before = this.definitions.byId(definition.queueId);
      if (isDeepStrictEqual(before, definition)) continue;
      changes.push({ kind: 'defined', definition, created: before === undefined });
    }
    for (const change of changes) {
      this.definitions.apply(change);
      Promise.resolve(this.#options.onChange(change)).catch((error: unknown) =>
        this.#options.logger.error({ error }, 'a recovered change could not be broadcast'),
      );
    }
  }

  // Compaction.

  #compactIfWorthwhile(): void {
    const log = this.#log;
    if (this.#compacting || this.#closed || log.firstRegion === log.currentRegion) return;
    const held = this.#headPosition - log.firstRegion * log.regionBytes;
    if (held < this.#state.liveBytes * COMPACTION_FACTOR) return;
    if (this.#headPosition < this.#compactAfter) return;
    this.#compacting = true;
    this.#compact(log)
      .catch((error: unknown) => {
        // The records stay where they were: nothing is lost but room.
        this.#compactAfter = this.#headPosition + log.regionBytes;
        this.#options.logger.warn({ error }, "the catalog's log could not be compacted");
      })
      .finally(() => {
        this.#compacting = false;
      });
  }

  /** Writes everything that lives anew, to the head, and releases the regions before. */
  async #compact(log: Log): Promise<void> {
    const region = log.currentRegion;
    let uncommitted = 0;
    for (const record of this.#state.snapshot()) {
      uncommitted += this.#append(record);
      if (uncommitted < LOG_COMMIT_BYTES_MAX) continue;
      uncommitted = 0;
      await this.#settled();
      if (log !== this.#log || this.#closed) return;
    }
    await this.#settled();
    if (log === this.#log && !this.#closed) log.release(region);
  }
}

function requireQueue(definitions: Definitions, name: string): QueueDefinition {
  const definition = definitions.find(name);
  if (definition !== undefined) return definition;
  throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', `There is no queue "${name}".`);
}

/** Throws CAPSTAN_QUEUE_NAME_EXISTS when an attribute that is given is not the queue's own. */
function checkSame(existing: QueueDefinition, given: Partial<QueueAttributes>): void {
  const asked = mergeAttributes(existing.attributes, given);
  checkAttributes(asked);
  for (const key of ATTRIBUTE_NAMES) {
    if (isDeepStrictEqual(asked[key], existing.attributes[key])) continue;
    throw new BrokerError(
      'CAPSTAN_QUEUE_NAME_EXISTS',
      `A queue "${existing.name}" exists, with another ${key}.`,
    );
  }
}
