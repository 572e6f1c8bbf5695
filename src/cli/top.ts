/* `capstan top`: a live table of queues. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Broker, QueueCounts } from '../client/index.ts';
import type { CliContext } from './command.ts';
import { columnsOf, counted, write, writeJson, writeLines } from './output.ts';
import { listQueues } from './queue.ts';
import { httpUrl, type ServerOptions, serverCommand, withServer } from './server.ts';
import { type Column, clip, formatTable } from './table.ts';
import { formatCount, formatDurationMs, parseDurationMs } from './units.ts';

const INTERVAL_MS_MIN = 100;
/** Where nobody says how many lines there are. */
const QUEUES_SHOWN_DEFAULT = 20;
/** Lines that are no queue's. */
const FRAME_LINES = 4;

// The terminal's other screen: what was there before comes back at the end.
const OTHER_SCREEN = '\u001b[?1049h\u001b[?25l';
const FIRST_SCREEN = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_TO_LINE_END = '\u001b[K';
const CLEAR_TO_SCREEN_END = '\u001b[J';

interface TopOptions extends ServerOptions {
  readonly interval: string;
  readonly once?: boolean;
  readonly prefix?: string;
}

export function topCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'top', 'Show a live table of queues, the deepest first.')
    .option('--interval <time>', 'between two looks', '2s')
    .option('--prefix <text>', 'of the names of the queues')
    .option('--once', 'one look, after one interval')
    .action((options: TopOptions) =>
      withServer(options, (server) => new Top(context, server, options).run()),
    );
}

interface QueueLook {
  readonly name: string;
  readonly counts: QueueCounts;
  /** Of all its messages, per second since the look before; undefined at the first. */
  readonly changePerSecond: number | undefined;
}

interface ShownQueue extends QueueLook {
  /** Of its oldest message; undefined: it is empty. */
  readonly oldestAgeMs: number | undefined;
}

/** Messages since the server's start. */
interface Totals {
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
}

interface Look {
  readonly atMs: number;
  readonly queues: QueueLook[];
  /** Undefined where the server's status cannot be had. */
  readonly totals: Totals | undefined;
  readonly before: Look | undefined;
}

const COLUMNS: readonly Column<ShownQueue>[] = [
  { title: 'QUEUE', cell: ({ name }) => name },
  { title: 'VISIBLE', align: 'right', cell: ({ counts }) => formatCount(counts.visible) },
  { title: 'IN FLIGHT', align: 'right', cell: ({ counts }) => formatCount(counts.inFlight) },
  { title: 'DELAYED', align: 'right', cell: ({ counts }) => formatCount(counts.delayed) },
  { title: 'CHANGE/s', align: 'right', cell: ({ changePerSecond }) => signed(changePerSecond) },
  { title: 'OLDEST', align: 'right', cell: ({ oldestAgeMs }) => age(oldestAgeMs) },
];

function signed(rate: number | undefined): string {
  if (rate === undefined) return '';
  const rounded = Math.round(rate);
  if (rounded === 0) return '0';
  return `${rounded > 0 ? '+' : '-'}${formatCount(Math.abs(rounded))}`;
}

function age(ms: number | undefined): string {
  return ms === undefined ? '-' : formatDurationMs(ms);
}

function ratesLine({ atMs, totals, before }: Look): string {
  if (totals === undefined || before?.totals === undefined) return '';
  const earlier = before.totals;
  const seconds = (atMs - before.atMs) / 1000;
  const rate = (field: keyof Totals) =>
    `${formatCount(Math.max(0, totals[field] - earlier[field]) / seconds)} ${field}/s`;
  return [rate('sent'), rate('received'), rate('deleted')].join('  ');
}

function totalOf({ visible, inFlight, delayed }: QueueCounts): number {
  return visible + inFlight + delayed;
}

class Top {
  readonly #context: CliContext;
  readonly #server: Broker;
  readonly #options: TopOptions;
  readonly #intervalMs: number;

  constructor(context: CliContext, server: Broker, options: TopOptions) {
    this.#context = context;
    this.#server = server;
    this.#options = options;
    const intervalMs = parseDurationMs(options.interval, '--interval');
    this.#intervalMs = Math.max(INTERVAL_MS_MIN, intervalMs);
  }

  async run(): Promise<void> {
    const { stdout } = this.#context;
    const live = stdout.isTTY === true && this.#options.once !== true;
    if (!live && this.#options.json !== true) return this.#once();
    const interruption = new AbortController();
    const removeListener = this.#context.onStopSignal(() => interruption.abort());
    if (live && this.#options.json !== true) stdout.write(OTHER_SCREEN);
    try {
      await this.#loop(interruption.signal);
    } finally {
      if (live && this.#options.json !== true) stdout.write(FIRST_SCREEN);
      removeListener();
    }
  }

  async #once(): Promise<void> {
    const before = await this.#look(undefined);
    await sleep(this.#intervalMs);
    await writeLines(this.#context, await this.#lines(await this.#look(before)));
  }

  async #loop(signal: AbortSignal): Promise<void> {
    let look: Look | undefined;
    while (!signal.aborted) {
      look = await this.#look(look);
      if (this.#options.json === true) await this.#writeJson(look);
      else await this.#draw(look);
      if (this.#options.once === true) return;
      await sleep(this.#intervalMs, undefined, { signal }).catch(
        () => undefined, // Interrupted: the loop ends.
      );
    }
  }

  async #totals(): Promise<Totals | undefined> {
    try {
      const answer = await fetch(new URL('/status.json', httpUrl(this.#options.url)));
      const { partitions } = (await answer.json()) as { partitions: readonly Totals[] };
      const sum = (field: keyof Totals) =>
        partitions.reduce((total, partition) => total + partition[field], 0);
      return { sent: sum('sent'), received: sum('received'), deleted: sum('deleted') };
    } catch {
      // A proxy that lets WebSockets through only: the table does without.
      return undefined;
    }
  }

  /** The deepest queue first. */
  async #look(before: Look | undefined): Promise<Look> {
    const totals = await this.#totals();
    const atMs = performance.now();
    const earlier = new Map(before?.queues.map((each) => [each.name, totalOf(each.counts)]));
    const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
    const queues: QueueLook[] = [];
    for await (const page of listQueues(this.#server, this.#options.prefix)) {
      const counts = await Promise.allSettled(
        page.map(({ name }) => this.#server.queue(name).counts()),
      );
      page.forEach(({ name }, at) => {
        const each = counts[at]!;
        // Deleted meanwhile.
        if (each.status === 'rejected') return;
        const was = earlier.get(name);
        const changePerSecond =
          was === undefined || seconds === 0 ? undefined : (totalOf(each.value) - was) / seconds;
        queues.push({ name, counts: each.value, changePerSecond });
      });
    }
    queues.sort((a, b) => totalOf(b.counts) - totalOf(a.counts) || (a.name < b.name ? -1 : 1));
    // One look back is enough: the chain must not grow.
    return { atMs, queues, totals, before: before && { ...before, before: undefined } };
  }

  async #shown({ queues }: Look, max: number): Promise<ShownQueue[]> {
    const now = Date.now();
    return Promise.all(
      queues.slice(0, max).map(async (look) => {
        const queue = this.#server.queue(look.name);
        const sentAtMs = await queue.oldestSentAtMs().catch(() => undefined); // Deleted meanwhile.
        const oldestAgeMs = sentAtMs === undefined ? undefined : Math.max(0, now - sentAtMs);
        return { ...look, oldestAgeMs };
      }),
    );
  }

  async #lines(look: Look): Promise<string[]> {
    const { stdout } = this.#context;
    const rows = 'rows' in stdout && typeof stdout.rows === 'number' ? stdout.rows : undefined;
    const max = rows === undefined ? QUEUES_SHOWN_DEFAULT : Math.max(1, rows - FRAME_LINES);
    const columns = columnsOf(stdout);
    const shown = await this.#shown(look, max);
    const total = look.queues.reduce((sum, { counts }) => sum + totalOf(counts), 0);
    const more = look.queues.length - shown.length;
    return [
      clip(
        `${this.#options.url}  ${counted(look.queues.length, 'queue')}  ` +
          `${formatCount(total)} messages  ${new Date().toLocaleTimeString()}`,
        columns,
      ),
      clip(ratesLine(look), columns),
      ...formatTable(COLUMNS, shown, columns),
      ...(more > 0 ? [`and ${formatCount(more)} more`] : []),
    ];
  }

  async #draw(look: Look): Promise<void> {
    const lines = await this.#lines(look);
    const body = lines.map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join('');
    await write(this.#context.stdout, HOME + body + CLEAR_TO_SCREEN_END);
  }

  async #writeJson(look: Look): Promise<void> {
    const shown = await this.#shown(look, Infinity);
    for (const { name, counts, changePerSecond, oldestAgeMs } of shown) {
      await writeJson(this.#context, {
        queue: name,
        ...counts,
        changePerSecond: changePerSecond ?? null,
        oldestAgeMs: oldestAgeMs ?? null,
      });
    }
  }
}
