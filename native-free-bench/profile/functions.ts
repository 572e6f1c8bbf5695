/* Where the time of each message went, function by function: the self time of all of them within
 * the measured time. It is time on the clock: on a machine that others use as well it is more than
 * CPU time. For those who look for what to make faster; costs.ts is for those who want to know what
 * a message costs. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatFigure, markdownTable, type Table } from '../harness/table.ts';
import { ASLEEP, areasOf, OTHER, SYNC, THREAD_NAMES, threadNameOf } from './areas.ts';
import { eachSample, type Profile, type Profiled, readProfiles, Sums } from './v8-profile.ts';

const FUNCTIONS_TOLD = 20;
const US_TOLD_MIN = 0.005; // of a message; less is noise

function shortFile(url: string): string {
  return url.replace(/^.*\/(?:dist|node_modules|native-free-bench)\//, '');
}

function tablesOf(profiled: Profiled, profiles: readonly Profile[]): Table[] {
  const byArea = new Sums();
  const byAreaAndThread = new Sums();
  const byFunction = new Sums();
  const threads = new Set<string>();
  for (const profile of profiles) {
    const areas = areasOf(profile.nodes);
    const thread = threadNameOf(profile.nodes.map(({ callFrame }) => callFrame.url));
    threads.add(thread);
    eachSample(profile, profiled, (node, us) => {
      const area = areas.get(node.id) ?? OTHER;
      if (area === ASLEEP) return;
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
  const columns = THREAD_NAMES.filter((name) => threads.has(name));
  const total = (name: string, us: number) => [name, ...columns.map(() => ''), perMessage(us)];
  const areaLines = byArea
    .sorted()
    .map(([area, us]) => [
      area,
      ...columns.map((thread) => perMessage(byAreaAndThread.get(`${area} / ${thread}`))),
      perMessage(us),
    ]);
  return [
    {
      title: profiled.name,
      headings: ['us a message', ...columns, 'all'],
      numeric: Array.from({ length: columns.length + 1 }, (_, i) => i + 1),
      lines: [
        ...areaLines,
        total('all, without the waits', byArea.total - byArea.get(SYNC)),
        total('all', byArea.total),
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

/** Writes what the profiles tell as a page; its tables, for whoever shows them at once. */
export function writeFunctions(
  file: string,
  directory: string,
  measurements: readonly Profiled[],
): readonly Table[] {
  const tables = measurements.flatMap((profiled) => {
    const profiles = readProfiles(join(directory, profiled.scenario), profiled.pid);
    return profiles.size === 0 ? [] : tablesOf(profiled, [...profiles.values()]);
  });
  const sections = tables.map((table) => `## ${table.title}\n\n${markdownTable(table)}\n`);
  writeFileSync(file, `# Where the time of a message goes\n\n${sections.join('\n')}`);
  return tables;
}
