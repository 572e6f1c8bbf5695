/* Where the time of each message went, out of the profiles that `node --cpu-prof` leaves, one file
 * a thread: the self time of every function within the measured time, gathered by what the function
 * is for. What runs outside of the project's own files (Node, native calls) counts for whoever
 * called it, except for what is worth a line of its own. Self time is time on the clock: on a
 * machine that others use as well it is more than CPU time. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatFigure, markdownTable, type Table } from './table.ts';

const FUNCTIONS_TOLD = 20;
const US_TOLD_MIN = 0.005; // of a message; less is noise
export const SAMPLING_US = 200;

/** One measurement, of one process. */
export interface Profiled {
  readonly scenario: string;
  readonly name: string;
  readonly pid: number;
  /** By the clock of the system, as profiles have it. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly messages: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const IDLE = 'asleep';
const SYNC = 'log: sync (waits for the disk)';
const OTHER = 'Node itself';

/** Functions that are an area by themselves, wherever they are called from. */
const BY_FUNCTION: readonly (readonly [name: RegExp, area: string])[] = [
  [/^\((?:idle|root)\)$|^sleep$|^atomicsWaitLoop$/, IDLE],
  [/^\(garbage collector\)$/, 'garbage collection'],
  [/^\(program\)$/, 'native code and kernel: sockets, event loop'],
  [/^(?:fdatasync|fsync)(?:Sync)?$/, SYNC],
  [/^write(?:Buffer|Buffers|Sync|vSync)$/, 'log: write'],
];

/** Else the file says it; the first that fits. */
const BY_FILE: readonly (readonly [path: RegExp, area: string])[] = [
  [/\/native-free-bench\/|\/autocannon\//, 'load (host program)'],
  [/\/dist\/door\/sqs\//, 'door: SQS, parse and answer'],
  [/\/dist\/door\/socket\//, 'door: WebSocket session'],
  [/\/dist\/door\//, 'door: requests and answers'],
  [/\/dist\/(?:wire|client)\//, 'native protocol'],
  [/\/dist\/(?:broker|embedded)\//, 'routing'],
  [/\/dist\/command\//, 'commands: encode and decode'],
  [/\/dist\/ring\//, 'rings and doorbells'],
  [/\/dist\/queue\//, 'decide and apply'],
  [/\/dist\/partition\//, 'partition: turn, reply'],
  [/\/dist\/log\/|\/sonic-boom\//, 'log: append'],
  [/\/dist\//, 'the rest of Capstan'],
];

const BY_THREAD: readonly (readonly [path: RegExp, thread: string])[] = [
  [/\/partition-worker\.js$/, 'partitions'],
  [/\/door-worker\.js$/, 'doors'],
  [/\/maintenance-worker\.js$|\/piscina\/dist\/worker\.js$/, 'maintenance'],
];
const THREADS = ['doors', 'partitions', 'main', 'maintenance'] as const;

function areaOf({ callFrame: { functionName, url } }: ProfileNode): string | undefined {
  return (
    BY_FUNCTION.find(([name]) => name.test(functionName))?.[1] ??
    BY_FILE.find(([path]) => path.test(url))?.[1]
  );
}

/** Of every node: its own area, or that of its caller. */
function areasOf(nodes: readonly ProfileNode[]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const areas = new Map<number, string>();
  const visit = (node: ProfileNode, inherited: string): void => {
    const area = areaOf(node) ?? inherited;
    areas.set(node.id, area);
    for (const id of node.children ?? []) visit(byId.get(id)!, area);
  };
  if (nodes[0] !== undefined) visit(nodes[0], OTHER);
  return areas;
}

function threadOf(nodes: readonly ProfileNode[]): string {
  const urls = new Set(nodes.map(({ callFrame }) => callFrame.url));
  return BY_THREAD.find(([path]) => [...urls].some((url) => path.test(url)))?.[1] ?? 'main';
}

/** Calls `take` with every sample of the measured time, and how long it stands for. */
function eachSample(
  { nodes, startTime, samples, timeDeltas }: Profile,
  { fromUs, toUs }: Profiled,
  take: (node: ProfileNode, us: number) => void,
): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  let at = startTime;
  samples.forEach((id, i) => {
    const us = timeDeltas[i]!;
    at += us;
    if (at >= fromUs && at <= toUs) take(byId.get(id)!, us);
  });
}

class Sums {
  readonly #sums = new Map<string, number>();

  add(key: string, us: number): void {
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + us);
  }

  get(key: string): number {
    return this.#sums.get(key) ?? 0;
  }

  /** The greatest first. */
  sorted(): [key: string, us: number][] {
    return [...this.#sums].toSorted((a, b) => b[1] - a[1]);
  }
}

function shortFile(url: string): string {
  return url.replace(/^.*\/(?:dist|node_modules|native-free-bench)\//, '');
}

function tablesOf(profiled: Profiled, profiles: readonly Profile[]): Table[] {
  const byArea = new Sums();
  const byAreaAndThread = new Sums();
  const byFunction = new Sums();
  for (const profile of profiles) {
    const areas = areasOf(profile.nodes);
    const thread = threadOf(profile.nodes);
    eachSample(profile, profiled, (node, us) => {
      const area = areas.get(node.id) ?? OTHER;
      if (area === IDLE) return;
      const { functionName, url } = node.callFrame;
      byArea.add(area, us);
      byAreaAndThread.add(`${area} / ${thread}`, us);
      byFunction.add(
        `${functionName === '' ? '(anonymous)' : functionName} | ${shortFile(url)}`,
        us,
      );
    });
  }
  const perMessage = (us: number): string => {
    const share = us / profiled.messages;
    return share < US_TOLD_MIN ? '' : formatFigure(share);
  };
  const all = byArea.sorted().reduce((sum, [, us]) => sum + us, 0);
  const total = (name: string, us: number) => [name, ...THREADS.map(() => ''), perMessage(us)];
  const areaLines = byArea
    .sorted()
    .map(([area, us]) => [
      area,
      ...THREADS.map((thread) => perMessage(byAreaAndThread.get(`${area} / ${thread}`))),
      perMessage(us),
    ]);
  return [
    {
      title: profiled.name,
      headings: ['us a message', ...THREADS, 'all'],
      numeric: [1, 2, 3, 4, 5],
      lines: [
        ...areaLines,
        total('all, without the waits', all - byArea.get(SYNC)),
        total('all', all),
      ],
    },
    {
      title: 'Functions',
      headings: ['function', 'file', 'us a message'],
      numeric: [2],
      lines: byFunction
        .sorted()
        .slice(0, FUNCTIONS_TOLD)
        .map(([key, us]) => [...key.split(' | '), perMessage(us)]),
    },
  ];
}

function profilesOf(directory: string, pid: number): Profile[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.includes(`.${pid}.`) && name.endsWith('.cpuprofile'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as Profile);
}

/** Writes what the profiles tell as a page; its tables, for whoever shows them at once. */
export function writeProfiles(
  file: string,
  directory: string,
  measurements: readonly Profiled[],
): readonly Table[] {
  const tables = measurements.flatMap((profiled) => {
    const profiles = profilesOf(join(directory, profiled.scenario), profiled.pid);
    return profiles.length === 0 ? [] : tablesOf(profiled, profiles);
  });
  const sections = tables.map((table) => `## ${table.title}\n\n${markdownTable(table)}\n`);
  writeFileSync(file, `# Where the time of a message goes\n\n${sections.join('\n')}`);
  return tables;
}
