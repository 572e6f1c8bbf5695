/* The figures that the design sets targets for, in its order, each with what was measured and with
 * the best peer of the same run. */

import type { Row } from '../harness/rows.ts';
import { figureText, microseconds, type Table, targetText } from '../harness/table.ts';

/** What a peer is measured at; see peers.ts. */
export type PeerFigure = 'batch cycle' | 'enqueue' | 'single sends' | 'p99 enqueue' | 'p99 dequeue';

interface TargetLine {
  readonly path: string;
  readonly of: (row: Row) => boolean;
  readonly peer?: PeerFigure | undefined;
  /** The figure of peers-backlog.ts that compares. */
  readonly peerBacklog?: string | undefined;
  /** Of peers, only this one speaks the protocol. */
  readonly onlyPeer?: string | undefined;
  /** The figure is the CPU time beside it. */
  readonly cpu?: boolean | undefined;
}

/** Rows of a scenario whose parameters have these values. */
function rowsOf(scenario: string, parameters: Readonly<Record<string, string | number>>) {
  return (row: Row): boolean =>
    row.scenario === scenario &&
    Object.entries(parameters).every(([name, value]) => row.parameters[name] === value);
}

const FAUXQS = 'fauxqs';

const DRAIN_RATE = 'drain rate';

/** @param besidePeers whether peers are measured with as many. */
function backlogLines(
  scenario: string,
  path: string,
  drain: string,
  besidePeers: boolean,
): TargetLine[] {
  const restart = 'restart to first receive, after';
  return ['resident memory', drain, `${restart} SIGKILL`, `${restart} a stop`].map((figure) => ({
    path: `${path}: ${figure}`,
    of: rowsOf(scenario, { figure }),
    peerBacklog: besidePeers ? figure : undefined,
  }));
}

/** Every row that has a target and fits is told; a line without a row says so. */
const LINES: readonly TargetLine[] = [
  {
    path: 'embedded, batches of 100, full cycle',
    of: rowsOf('embedded-cycle', { batch: 100 }),
  },
  {
    path: 'WebSocket, batches of 100, full cycle',
    of: rowsOf('websocket-cycle', { batch: 100, figure: 'throughput' }),
    peer: 'batch cycle',
  },
  {
    path: 'durable enqueue, batches of 500',
    of: rowsOf('enqueue', { batch: 500 }),
    peer: 'enqueue',
  },
  ...['autocannon', 'bare connections'].map((client) => ({
    path: `SQS HTTP, SendMessageBatch of 10, 64 connections, ${client}`,
    of: rowsOf('sqs-send-batch', { client }),
    peer: 'enqueue' as const,
    onlyPeer: FAUXQS,
  })),
  ...['autocannon', 'bare connections'].map((client) => ({
    path: `SQS HTTP, full cycle in batches of 10, ${client}`,
    of: rowsOf('sqs-cycle', { client }),
    peer: 'batch cycle' as const,
    onlyPeer: FAUXQS,
  })),
  ...['autocannon', 'bare connections'].map((client) => ({
    path: `single sends over HTTP, 64 in flight, ${client}`,
    of: rowsOf('single-sends', { api: 'sqs-json', client }),
    peer: 'single sends' as const,
    onlyPeer: FAUXQS,
  })),
  {
    path: 'single sends over WebSocket, 64 in flight',
    of: rowsOf('single-sends', { api: 'websocket' }),
    peer: 'single sends',
  },
  ...(['enqueue', 'dequeue'] as const).map((figure) => ({
    path: `p99 at 2,000 single messages/s: ${figure}`,
    of: rowsOf('latency', { driver: 'websocket', load: '2,000/s', figure }),
    peer: `p99 ${figure}` as const,
  })),
  ...[1, 10].flatMap((batch) =>
    ['enqueue', 'dequeue'].map((figure) => ({
      path: `p99 at half of the peak load, batches of ${batch}: ${figure}`,
      of: rowsOf('latency', { load: 'half', batch, figure }),
    })),
  ),
  {
    path: 'HTTP SendMessage against a bare µWS hello',
    of: rowsOf('single-sends', { api: 'ratio' }),
  },
  {
    path: 'server CPU per message, WebSocket full cycle, batches of 100',
    of: rowsOf('websocket-cycle', { batch: 100, figure: 'cpu' }),
    peer: 'batch cycle',
    cpu: true,
  },
  ...backlogLines('backlog-1m', '1 M waiting messages', DRAIN_RATE, true),
  ...backlogLines(
    'backlog-10m',
    '10 M waiting messages',
    "drain rate against a shallow queue's",
    false,
  ),
];

function better(line: TargetLine, rows: readonly Row[]): Row | undefined {
  const figure = (row: Row): number =>
    line.cpu === true ? (row.serverCpuUsPerMessage ?? Number.POSITIVE_INFINITY) : row.figure;
  const less =
    line.cpu === true ||
    line.peer?.startsWith('p99') === true ||
    (line.peerBacklog !== undefined && line.peerBacklog !== DRAIN_RATE);
  return rows.toSorted((a, b) => (less ? figure(a) - figure(b) : figure(b) - figure(a)))[0];
}

/** The best that keeps what it acknowledges; where there is none, the best of the others. */
function bestPeer(line: TargetLine, rows: readonly Row[]): string {
  const fit = rows.filter(({ scenario, parameters: { peer, what, figure } }) => {
    if (peer === undefined) return false;
    if (line.onlyPeer !== undefined && peer !== line.onlyPeer) return false;
    return scenario === 'peers-backlog'
      ? figure === line.peerBacklog
      : line.peer !== undefined && what === line.peer;
  });
  const durable = fit.filter(({ durability }) => !durability.startsWith('none'));
  const best = better(line, durable.length > 0 ? durable : fit);
  if (best === undefined) return '';
  const figure = line.cpu === true ? microseconds(best.serverCpuUsPerMessage) : figureText(best);
  return `${best.parameters['peer']}, ${best.durability}: ${figure}`;
}

/** @param complete whether lines that were not measured are told as such, or left out. */
export function targetsTable(rows: readonly Row[], complete: boolean): Table {
  const lines = LINES.flatMap((line) => {
    const row = rows.find(line.of);
    if (row === undefined) return complete ? [[line.path, '', 'not measured', '', '', '']] : [];
    const { durability, verdict } = row;
    const peer = bestPeer(line, rows);
    return [[line.path, durability, figureText(row), targetText(row), verdict, peer]];
  });
  return {
    title: 'Figures with a target',
    headings: ['path', 'durability', 'figure', 'target', '', 'best peer in this run'],
    numeric: [2, 3],
    lines,
  };
}
