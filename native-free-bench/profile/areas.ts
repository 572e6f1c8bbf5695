/* What the functions in a profile are for. An area is a line of the costs: a part of the server, or
 * something that Node, the engine or the kernel does for it. What runs outside of the project's own
 * files counts for whoever called it, except for what is worth a line of its own.
 *
 * A native call has no frame of its own in a profile: the function that makes it has the time, with
 * that of the kernel below. Those that do little else are named here for what they call. */

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** The thread is off the processor, or as good as. */
export const ASLEEP = 'asleep';
/** Most of it is a wait, too, for the disk; what of it is work, the profile does not tell. */
export const SYNC = 'log: sync (waits for the disk)';
/** No JavaScript at all: native code by itself, and the kernel below. */
export const NATIVE = 'event loop and its native code, kernel';
export const OTHER = 'other';

interface Rule {
  readonly name?: RegExp;
  readonly file?: RegExp;
  readonly area: string;
}

/** The first that fits. */
const RULES: readonly Rule[] = [
  { name: /^\((?:idle|root)\)$|^atomicsWaitLoop$/, area: ASLEEP },
  { name: /^sleep$/, file: /\/ring\/doorbell\.js$/, area: ASLEEP },
  { name: /^$/, file: /\/partition\/sync-worker\.js$/, area: ASLEEP },
  { name: /^#wait$/, file: /\/partition\/sync-thread\.js$/, area: ASLEEP },
  { name: /^f(?:data)?sync(?:Sync)?$/, file: /^$|^node:/, area: SYNC },
  { name: /^\(garbage collector\)$/, area: 'garbage collection' },
  { name: /^\(program\)$/, area: NATIVE },
  {
    name: /^send$/,
    file: /\/socket\/socket-protocol\.js$/,
    area: 'reply: uWebSockets.js, kernel',
  },
  {
    name: /^(?:#respond|#send)$/,
    file: /\/door\/exchange\.js$/,
    area: 'reply: uWebSockets.js, kernel',
  },
  { name: /^ring$/, file: /\/ring\/doorbell\.js$/, area: 'wake another thread (kernel: futex)' },
  {
    name: /^begin$/,
    file: /\/partition\/sync-thread\.js$/,
    area: 'wake another thread (kernel: futex)',
  },
  { name: /^write(?:Buffer|Buffers|Sync|vSync)$/, file: /^$|^node:/, area: 'log: write (kernel)' },
  { name: /^(?:_copyActual|copy|set)$/, file: /^$|^node:buffer$/, area: 'copies of bytes' },
  { file: /\/native-free-bench\/|\/autocannon\//, area: 'host program' },
  { file: /\/door\/sqs\/json-(?:scanner|codec|messages)\.js$/, area: 'SQS: JSON, parse and write' },
  { file: /\/door\/sqs\/md5\.js$/, area: 'SQS: MD5' },
  { file: /\/door\/sqs\//, area: 'SQS: check, act, answer' },
  { file: /\/door\/socket\/|\/dist\/wire\//, area: 'WebSocket session: parse, answer' },
  { file: /\/dist\/client\//, area: 'client' },
  { file: /\/dist\/door\//, area: 'HTTP exchange' },
  { file: /\/command\/message-id\.js$/, area: 'message ids' },
  { file: /\/base\/siphash\.js$/, area: 'receipts: authenticate' },
  { file: /\/dist\/(?:broker|embedded)\//, area: 'routing' },
  { file: /\/dist\/command\//, area: 'commands: encode, decode' },
  { file: /\/dist\/ring\//, area: 'rings' },
  { file: /\/dist\/queue\//, area: 'decide and apply' },
  { file: /\/dist\/partition\//, area: 'partition: turn, replies' },
  { file: /\/dist\/log\/|\/sonic-boom\//, area: 'log: append' },
];

/** Who has the time of an area, as far as a drawing tells them apart. */
export type AreaKind = 'kernel and native code' | 'engine' | 'Capstan' | 'host program' | 'other';

const KINDS: readonly (readonly [area: RegExp, kind: AreaKind])[] = [
  [/kernel/, 'kernel and native code'],
  [/^garbage collection$|^collector/, 'engine'],
  [/^host program$/, 'host program'],
  [/^other$|^spare segments/, 'other'],
];

export function kindOf(area: string): AreaKind {
  return KINDS.find(([pattern]) => pattern.test(area))?.[1] ?? 'Capstan';
}

/** By the file that a thread began with. Those that noted none are V8's and libuv's. */
const THREADS: readonly (readonly [entry: RegExp, thread: string])[] = [
  [/\/door-worker\.js$/, 'doors'],
  [/\/partition-worker\.js$/, 'partitions'],
  [/\/sync-worker\.js$/, 'sync'],
  [/\/maintenance-worker\.js$|\/piscina\/dist\/worker\.js$/, 'maintenance'],
  [/\/load-process\.js$/, 'host program'],
];
export const MAIN_THREAD = 'main';
export const HELPER_THREADS = 'helpers';
/** Told in this order. */
export const THREAD_NAMES: readonly string[] = [
  'host program',
  ...['doors', 'partitions', 'sync', MAIN_THREAD, 'maintenance', HELPER_THREADS],
];

/** Of a file, or of all files that a thread has run. */
export function threadNameOf(entries: Iterable<string>): string {
  const all = [...entries];
  const found = THREADS.find(([entry]) => all.some((file) => entry.test(file)));
  return found?.[1] ?? MAIN_THREAD;
}

function areaOf({ callFrame: { functionName, url } }: ProfileNode): string | undefined {
  return RULES.find(({ name = /^/, file = /^/ }) => name.test(functionName) && file.test(url))
    ?.area;
}

/** Of every node: its own area, or that of its caller. */
export function areasOf(nodes: readonly ProfileNode[]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const areas = new Map<number, string>();
  const visit = (node: ProfileNode, inherited: string): void => {
    const area = areaOf(node) ?? inherited;
    areas.set(node.id, area);
    for (const id of node.children ?? []) visit(byId.get(id)!, area === ASLEEP ? OTHER : area);
  };
  if (nodes[0] !== undefined) visit(nodes[0], OTHER);
  return areas;
}
