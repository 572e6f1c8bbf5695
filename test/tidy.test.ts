/* Holds the repository to its plan: which part may import which, and what no file may contain. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  filesUnder,
  findCycle,
  importGraph,
  importsIn,
  ROOT,
  reachableFrom,
  read,
} from './support/source-tree.ts';

/** Which parts of src/ each part may import, and which packages. A file directly under src/ is a
 *  part of its own. Types count: who needs a part's types depends on it. */
const ARROWS: Readonly<Record<string, { parts: readonly string[]; packages: readonly string[] }>> =
  {
    base: { parts: [], packages: [] },
    command: { parts: ['base'], packages: ['@msgpack/msgpack'] },
    ring: { parts: ['base'], packages: [] },
    log: { parts: ['base'], packages: ['sonic-boom'] },
    queue: { parts: ['command', 'base'], packages: [] },
    partition: {
      parts: ['queue', 'log', 'ring', 'command', 'base'],
      packages: [],
    },
    catalog: { parts: ['log', 'command', 'base'], packages: ['@msgpack/msgpack'] },
    broker: {
      parts: ['catalog', 'ring', 'log', 'command', 'base'],
      packages: ['piscina', '@msgpack/msgpack'],
    },
    wire: { parts: ['command', 'base'], packages: ['@msgpack/msgpack'] },
    door: {
      parts: ['broker', 'catalog', 'wire', 'command', 'base'],
      packages: ['uWebSockets.js', '@msgpack/msgpack', 'fast-xml-parser', 'prom-client', 'zod'],
    },
    client: { parts: ['wire', 'command', 'base'], packages: ['@msgpack/msgpack', 'ws'] },
    embedded: { parts: ['broker', 'client', 'command', 'base'], packages: [] },
    cli: {
      parts: ['door', 'broker', 'client', 'log', 'command', 'base'],
      packages: ['commander', 'pino', 'sonic-boom'],
    },
    'index.ts': { parts: ['embedded', 'client', 'broker', 'command', 'base'], packages: [] },
    'main.ts': { parts: ['cli', 'base'], packages: ['commander'] },
  };

/** Who may know that a log is a file: those that open one, and those that look after it. */
const KNOWS_THE_WAL =
  /^src\/(log|cli)\/|^src\/broker\/(broker|main|relay)|-worker\.ts$|\/(repartition|sync-thread)/;

const SOURCE = filesUnder('src', '.ts');
const TESTS = filesUnder('test', '.ts');
const EVERYTHING = [...SOURCE, ...TESTS, ...filesUnder('native-free-bench', '.ts')];
const PROSE = ['README.md', ...filesUnder('src', '.md'), ...filesUnder('native-free-bench', '.md')];
const GRAPH = importGraph(SOURCE);

const LINES_MAX = 600;
const COLUMNS_MAX = 100;

function partOf(file: string): string {
  return file.split('/')[1]!;
}

function packageOf(specifier: string): string {
  const [scope, name] = specifier.split('/');
  return specifier.startsWith('@') ? `${scope}/${name}` : scope!;
}

describe('the direction of imports', () => {
  it('has a rule for every part', () => {
    expect([...new Set(SOURCE.map(partOf))].filter((part) => !(part in ARROWS))).toEqual([]);
  });

  it('follows the arrows', () => {
    const against = SOURCE.flatMap((file) =>
      GRAPH.get(file)!
        .filter((each) => each.file !== undefined && !each.byUrl)
        .filter((each) => partOf(each.file!) !== partOf(file))
        .filter((each) => !ARROWS[partOf(file)]?.parts.includes(partOf(each.file!)))
        .map((each) => `${file} imports ${each.file}`),
    );
    expect(against).toEqual([]);
  });

  it('never leads from the broker to the partitions: it knows their workers by URL only', () => {
    const files = SOURCE.filter((file) => partOf(file) === 'broker');
    const into = files
      .flatMap((file) => GRAPH.get(file)!)
      .filter((each) => /^src\/(?:partition|queue)\//.test(each.file ?? ''));
    expect(into.filter((each) => !each.byUrl)).toEqual([]);
    expect(into.map((each) => each.file)).toContain('src/partition/partition-worker.ts');
    expect(into.filter((each) => !each.file!.endsWith('-worker.ts'))).toEqual([]);
  });

  it('lets each part have the packages that it is for, and no others', () => {
    const against = SOURCE.flatMap((file) =>
      GRAPH.get(file)!
        .filter((each) => each.file === undefined && !each.specifier.startsWith('node:'))
        .filter((each) => !ARROWS[partOf(file)]?.packages.includes(packageOf(each.specifier)))
        .map((each) => `${file} imports ${each.specifier}`),
    );
    expect(against).toEqual([]);
  });

  it('leads to the write-ahead log only from those that open it', () => {
    const against = SOURCE.filter((file) => !KNOWS_THE_WAL.test(file)).flatMap((file) =>
      GRAPH.get(file)!
        .filter((each) => each.file?.startsWith('src/log/wal/') && !each.byUrl)
        .map((each) => `${file} imports ${each.file}`),
    );
    expect(against).toEqual([]);
  });

  it('keeps the server, and Node, out of what a remote client loads', () => {
    const loaded = [...reachableFrom(['src/client/index.ts'], GRAPH, true)];
    expect(loaded.filter((file) => !/^src\/(client|wire|command|base)\//.test(file))).toEqual([]);
    const packages = loaded.flatMap((file) => GRAPH.get(file)!.map((each) => each.specifier));
    expect(packages.filter((name) => name.startsWith('uWebSockets'))).toEqual([]);
  });

  it('never runs in a circle', () => {
    expect(findCycle(GRAPH)).toBeUndefined();
  });

  it('leads to every file from an entry', () => {
    const entries = SOURCE.filter((file) => /^src\/(index|main|client\/index)\.ts$/.test(file));
    const reached = reachableFrom(entries, GRAPH, true);
    expect(SOURCE.filter((file) => !reached.has(file))).toEqual([]);
  });

  it('names files that exist', () => {
    // What is beside src/ lies beside dist/ as well.
    const missing = SOURCE.flatMap((file) =>
      GRAPH.get(file)!
        .filter((each) => each.file !== undefined && !existsSync(path.join(ROOT, each.file)))
        .map((each) => `${file} imports ${each.specifier}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('the reader of imports', () => {
  it('sees every form of import, and none in a comment', () => {
    const source = [
      "import { a } from './a.ts';",
      "import type {\n  B,\n} from '../base/b.ts';",
      "export { c } from './c.ts';",
      "import './d.ts';",
      "await import('./e.ts');",
      "new Worker(ownModule('door/f-worker.js'));",
      "import { z } from 'zod';",
      "/* import { x } from './x.ts'; */",
      "  // import { y } from './y.ts';",
    ].join('\n');
    const files = importsIn('src/door/door.ts', source).map((each) => each.file ?? each.specifier);
    expect(files).toEqual([
      'src/door/a.ts',
      'src/base/b.ts',
      'src/door/c.ts',
      'src/door/d.ts',
      'zod',
      'src/door/e.ts',
      'src/door/f-worker.ts',
    ]);
  });

  it('finds a circle', () => {
    const graph = new Map(
      Object.entries({ a: ['b'], b: ['c', 'd'], c: [], d: ['b'] }).map(([file, targets]) => [
        file,
        targets.map((target) => ({ specifier: target, file: target, byUrl: false })),
      ]),
    );
    expect(findCycle(graph)).toEqual(['b', 'd', 'b']);
  });
});

describe('every file', () => {
  it(`has at most ${LINES_MAX} lines`, () => {
    const long = EVERYTHING.filter((file) => read(file).split('\n').length - 1 > LINES_MAX);
    expect(long).toEqual([]);
  });

  it(`has lines of at most ${COLUMNS_MAX} columns`, () => {
    const found = EVERYTHING.flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, index) => (line.length > COLUMNS_MAX ? [`${file}:${index + 1}`] : [])),
    );
    expect(found).toEqual([]);
  });

  it('leaves nothing for later and no test out', () => {
    // Written so that this line does not find itself.
    const marks = /\b(?:[T]ODO|[F]IXME|[X]XX)\b/;
    expect(EVERYTHING.filter((file) => marks.test(read(file)))).toEqual([]);
    expect(TESTS.filter((file) => /\.(?:skip|only|todo)\(/.test(read(file)))).toEqual([]);
  });

  it('under src/ starts by saying what it is for', () => {
    const silent = SOURCE.filter((file) => !/^(?:#!.*\n)?\/[*/]/.test(read(file)));
    expect(silent).toEqual([]);
  });

  it('is named in kebab case', () => {
    const odd = EVERYTHING.filter((file) => !/^[a-z0-9.-]+$/.test(path.basename(file)));
    expect(odd).toEqual([]);
  });
});

describe('the prose', () => {
  it('links to files and headings that exist', () => {
    const broken = PROSE.flatMap((file) =>
      relativeLinks(read(file))
        .filter((link) => !leadsSomewhere(file, link))
        .map((link) => `${file}: ${link}`),
    );
    expect(broken).toEqual([]);
  });
});

/** Of links and images outside code blocks; addresses on the web are left out. */
function relativeLinks(markdown: string): string[] {
  const text = markdown.replaceAll(/^```[\s\S]*?^```/gm, '');
  const links = text.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g);
  return Array.from(links, ([, link, attribute]) => link ?? attribute!).filter(
    (link) => !/^[a-z]+:/.test(link),
  );
}

function leadsSomewhere(file: string, link: string): boolean {
  const [target, anchor] = link.split('#');
  const full = target === '' ? file : path.posix.join(path.posix.dirname(file), target!);
  if (!existsSync(path.join(ROOT, full))) return false;
  if (anchor === undefined || !full.endsWith('.md')) return true;
  return anchorsOf(read(full)).has(anchor);
}

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.matchAll(/^#{1,6} (.*)$/gm);
  return new Set(
    Array.from(headings, ([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
