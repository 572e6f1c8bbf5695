/* The dashboard: one page without dependencies that asks `/status.json` every two seconds and
 * works out rates between two answers. Text from the server is only ever set as text. */

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #888; --good: #2a9d4e; --bad: #d1382f; }
body { font: 15px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
header { display: flex; gap: .6rem 1.2rem; align-items: baseline; flex-wrap: wrap; }
header span { color: var(--soft); }
#state { font-weight: 600; color: var(--bad); } #state.running { color: var(--good); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; } th:first-child, td:first-child { text-align: left; }
td.empty { text-align: left; color: var(--soft); }
`;

const SCRIPT = `
'use strict';
const INTERVAL_MS = 2000;
const byId = (id) => document.getElementById(id);
const whole = (n) => Math.round(n).toLocaleString('en-US');
const rate = (n) => (n === undefined ? '–' : whole(n) + '/s');
const bytes = (n) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return (unit === 0 ? n : n.toFixed(1)) + ' ' + units[unit];
};
const span = (ms) => {
  const s = Math.floor(ms / 1000);
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min ' + (s % 60) + ' s';
  if (s < 86400) return Math.floor(s / 3600) + ' h ' + Math.floor((s % 3600) / 60) + ' min';
  return Math.floor(s / 86400) + ' d ' + Math.floor((s % 86400) / 3600) + ' h';
};
function line(tag, texts, more) {
  const made = document.createElement('tr');
  for (const textContent of texts) {
    made.append(Object.assign(document.createElement(tag), { textContent, ...more }));
  }
  return made;
}
function fill(id, columns, rows, none) {
  const head = line('th', columns.map(([title]) => title));
  const lines = rows.map((row) => line('td', columns.map(([, cell]) => cell(row))));
  if (rows.length === 0) {
    lines.push(line('td', [none], { className: 'empty', colSpan: columns.length }));
  }
  byId(id).replaceChildren(head, ...lines);
}
let before;
let current;
const held = (queue) => queue.visible + queue.inFlight + queue.delayed;
/* How fast a figure of one row grew since the last answer; key tells rows apart. */
function growth(list, key, row, figure) {
  const past = before && before[list].find((each) => each[key] === row[key]);
  if (past === undefined) return rate(undefined);
  return rate(((figure(row) - figure(past)) * 1000) / (current.now - before.now));
}
const ofPartition = (name) => (p) => growth('partitions', 'partition', p, (each) => each[name]);
const ofDoor = (name) => (d) => growth('doors', 'door', d, (each) => each[name]);
const age = (at) => (at === null ? '–' : span(Math.max(0, current.now - at)));
function show(status) {
  current = status;
  const { health } = status;
  const states = health.partitions.map((each) => each.state);
  const state = states.find((each) => each !== 'running') ?? 'running';
  byId('state').textContent = state;
  byId('state').className = state;
  byId('about').textContent = 'version ' + health.version + ' · durability ' +
    health.durability + ' · up ' + span(health.uptimeMs);
  fill('queues', [
    ['queue', (q) => q.name],
    ['visible', (q) => whole(q.visible)],
    ['in flight', (q) => whole(q.inFlight)],
    ['delayed', (q) => whole(q.delayed)],
    ['oldest', (q) => age(q.oldestSentAtMs)],
    ['growth', (q) => growth('queues', 'name', q, held)],
    ['dead letters to', (q) => q.deadLetterQueue ?? '–'],
  ], status.queues, 'There is no queue yet.');
  byId('shown').textContent = status.queuesTotal > status.queues.length
    ? 'The ' + status.queues.length + ' deepest of ' + whole(status.queuesTotal) + '.' : '';
  fill('partitions', [
    ['partition', (p) => p.partition],
    ['state', (p) => p.state + (p.spaceLow ? ', disk full' : '')],
    ['restarts', (p) => whole(p.restarts)],
    ['messages', (p) => whole(p.messages)],
    ['sent', ofPartition('sent')],
    ['received', ofPartition('received')],
    ['deleted', ofPartition('deleted')],
    ['commits', ofPartition('commits')],
    ['log', (p) => bytes(p.logBytes)],
  ], status.partitions, '');
  fill('doors', [
    ['door', (d) => d.door],
    ['requests', ofDoor('requests')],
    ['errors', ofDoor('errors')],
    ['requests in all', (d) => whole(d.requests)],
    ['errors in all', (d) => whole(d.errors)],
  ], status.doors, '');
  before = status;
}
async function look() {
  try {
    const answer = await fetch('/status.json');
    if (!answer.ok) throw new Error('status ' + answer.status);
    show(await answer.json());
  } catch {
    byId('state').textContent = 'not reachable';
    byId('state').className = '';
  }
  setTimeout(look, INTERVAL_MS);
}
look();
`;

export const DASHBOARD_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Capstan</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>Capstan</h1><span id="state"></span><span id="about"></span></header>
<h2>Queues</h2>
<table id="queues"></table>
<p id="shown"></p>
<h2>Partitions</h2>
<table id="partitions"></table>
<h2>Doors</h2>
<table id="doors"></table>
<p>See also <a href="/openapi.json">openapi.json</a>, <a href="/metrics">metrics</a>,
<a href="/healthz">healthz</a>.</p>
<script>${SCRIPT}</script>
</body>
</html>
`;
