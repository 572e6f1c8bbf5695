/* The repository's own source as data: files, and which of them imports which. For the tests that
 * hold the house to its plan. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');

export interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** From the root, for a file of the repository; undefined for a package. */
  readonly file: string | undefined;
  /** A file that is run on a thread of its own, or read: named by URL, not loaded. */
  readonly byUrl: boolean;
}

/** Paths from the root, sorted, of the files under `directory` whose name ends in `suffix`. */
export function filesUnder(directory: string, suffix: string): string[] {
  return readdirSync(path.join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .map((name) => path.posix.join(directory, name))
    .filter((name) => name.endsWith(suffix) && !name.includes('node_modules/'))
    .toSorted();
}

export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** `import` and `export ... from`, and imports at run time. */
const IMPORT_PATTERNS = [
  /^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*'([^']+)'/gm,
  /\bimport\(\s*'([^']+)'\s*\)/g,
];
/** Names what lies in `src/` by its place there; see `base/own-code.ts`. */
const URL_PATTERN = /\bownModule\(\s*'([^']+)'\s*\)/g;

/** What `source`, the text of `file`, imports. */
export function importsIn(file: string, source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const imports = IMPORT_PATTERNS.flatMap((pattern) =>
    Array.from(code.matchAll(pattern), ([, specifier]) => resolve(file, specifier!)),
  );
  // A worker is named as it will be called once it is compiled.
  const workers = Array.from(code.matchAll(URL_PATTERN), ([, specifier]) => ({
    specifier: specifier!,
    file: `src/${specifier!.replace(/\.js$/, '.ts')}`,
    byUrl: true,
  }));
  return [...imports, ...workers];
}

function resolve(file: string, specifier: string): Import {
  if (!specifier.startsWith('.')) return { specifier, file: undefined, byUrl: false };
  const target = path.posix.join(path.posix.dirname(file), specifier);
  return { specifier, file: target.replace(/\.js$/, '.ts'), byUrl: false };
}

export type ImportGraph = ReadonlyMap<string, readonly Import[]>;

export function importGraph(files: readonly string[]): ImportGraph {
  return new Map(files.map((file) => [file, importsIn(file, read(file))]));
}

/** Every file that loading one of `entries` would load; with `urls`, also what those name by
 *  URL. */
export function reachableFrom(
  entries: readonly string[],
  graph: ImportGraph,
  urls: boolean,
): Set<string> {
  const reached = new Set<string>();
  const pending = [...entries];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const each of graph.get(file) ?? []) {
      if (each.file !== undefined && (urls || !each.byUrl)) pending.push(each.file);
    }
  }
  return reached;
}

/** A cycle of imports as the list of its files, or undefined if there is none. */
export function findCycle(graph: ImportGraph): string[] | undefined {
  const done = new Set<string>();
  for (const file of graph.keys()) {
    const cycle = cycleThrough(file, graph, [], done);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function cycleThrough(
  file: string,
  graph: ImportGraph,
  trail: readonly string[],
  done: Set<string>,
): string[] | undefined {
  const start = trail.indexOf(file);
  if (start >= 0) return [...trail.slice(start), file];
  if (done.has(file)) return undefined;
  for (const { file: target, byUrl } of graph.get(file) ?? []) {
    if (target === undefined || byUrl) continue;
    const cycle = cycleThrough(target, graph, [...trail, file], done);
    if (cycle !== undefined) return cycle;
  }
  done.add(file);
  return undefined;
}
