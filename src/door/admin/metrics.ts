/* `/metrics` for Prometheus. A table of families, filled from one set of measurements at each
 * scrape; nothing is counted here. Names and labels are part of the interface: they may be added
 * to, never changed. */

import { Counter, Gauge, Registry } from 'prom-client';
import { serverState } from './health.ts';
import type { Measurements, PartitionMeasurements } from './measurements.ts';
import type { QueueSelection } from './queue-figures.ts';

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

interface Scrape extends Measurements {
  readonly selection: QueueSelection;
  readonly now: number;
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface Family {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (scrape: Scrape) => readonly Sample[];
}

type PartitionField = {
  [Key in keyof PartitionMeasurements]-?: PartitionMeasurements[Key] extends number ? Key : never;
}[keyof PartitionMeasurements];

function ofPartitions(
  kind: Family['kind'],
  name: string,
  field: PartitionField,
  help: string,
): Family {
  return {
    kind,
    name: `capstan_partition_${name}`,
    help,
    labels: ['partition'],
    samples: ({ partitions }) =>
      partitions.map((each) => [{ partition: String(each.partition) }, each[field]]),
  };
}

function ofDoors(
  name: string,
  field: 'requests' | 'errors' | 'sent' | 'received' | 'deleted',
  help: string,
): Family {
  return {
    kind: 'counter',
    name: `capstan_${name}_total`,
    help,
    labels: ['door'],
    samples: ({ doors }) => doors.map((each) => [{ door: each.door }, each[field]]),
  };
}

const FAMILIES: readonly Family[] = [
  {
    kind: 'gauge',
    name: 'capstan_info',
    help: 'Always 1; its labels say what runs.',
    labels: ['version', 'durability'],
    samples: ({ health: { version, durability } }) => [[{ version, durability }, 1]],
  },
  {
    kind: 'gauge',
    name: 'capstan_up',
    help: '1 while every partition runs.',
    labels: [],
    samples: ({ health }) => [[{}, Number(serverState(health) === 'running')]],
  },
  {
    kind: 'gauge',
    name: 'capstan_uptime_seconds',
    help: 'Since the server started.',
    labels: [],
    samples: ({ health }) => [[{}, health.uptimeMs / 1000]],
  },
  ofDoors('door_requests', 'requests', 'Requests, by door.'),
  ofDoors('door_errors', 'errors', 'Requests answered with an error, by door.'),
  ofDoors('messages_sent', 'sent', 'Messages accepted, by door.'),
  ofDoors('messages_received', 'received', 'Messages delivered, by door.'),
  ofDoors('messages_deleted', 'deleted', 'Messages deleted, by door.'),
  {
    kind: 'gauge',
    name: 'capstan_queues',
    help: 'Queues that exist; only the deepest of them have series of their own.',
    labels: [],
    samples: ({ selection }) => [[{}, selection.total]],
  },
  {
    kind: 'gauge',
    name: 'capstan_queue_messages',
    help: 'Messages of a queue: visible (the depth), in_flight, delayed.',
    labels: ['queue', 'state'],
    samples: ({ selection }) =>
      selection.queues.flatMap(({ name: queue, visible, inFlight, delayed }): Sample[] => [
        [{ queue, state: 'visible' }, visible],
        [{ queue, state: 'in_flight' }, inFlight],
        [{ queue, state: 'delayed' }, delayed],
      ]),
  },
  {
    kind: 'gauge',
    name: 'capstan_queue_oldest_message_age_seconds',
    help: 'Age of the oldest message of a queue; 0 when it is empty.',
    labels: ['queue'],
    samples: ({ selection, now }) =>
      selection.queues.map(({ name, oldestSentAtMs }) => [
        { queue: name },
        oldestSentAtMs === null ? 0 : Math.max(0, now - oldestSentAtMs) / 1000,
      ]),
  },
  {
    kind: 'gauge',
    name: 'capstan_partition_state',
    help: 'Always 1; the label says the state of the partition.',
    labels: ['partition', 'state'],
    samples: ({ partitions }) =>
      partitions.map(({ partition, state }) => [{ partition: String(partition), state }, 1]),
  },
  ofPartitions('counter', 'restarts_total', 'restarts', 'Restarts after a failure.'),
  ofPartitions('counter', 'messages_sent_total', 'sent', 'Messages accepted.'),
  ofPartitions('counter', 'messages_received_total', 'received', 'Messages delivered.'),
  ofPartitions('counter', 'messages_deleted_total', 'deleted', 'Messages deleted.'),
  ofPartitions('gauge', 'messages', 'messages', 'Messages held, of all queues.'),
  ofPartitions('counter', 'commits_total', 'commits', 'Group commits.'),
  ofPartitions('counter', 'commit_seconds_total', 'commitSeconds', 'Spent on write and sync.'),
  ofPartitions('counter', 'committed_bytes_total', 'committedBytes', 'Log bytes committed.'),
  ofPartitions('gauge', 'log_bytes', 'logBytes', 'Log bytes held on disk.'),
  ofPartitions('counter', 'regions_cleaned_total', 'regionsCleaned', 'Log regions released.'),
  ofPartitions('counter', 'relocated_bytes_total', 'relocatedBytes', 'Moved by cleaning.'),
  {
    kind: 'gauge',
    name: 'capstan_partition_space_low',
    help: '1 while the disk has too little space for new messages.',
    labels: ['partition'],
    samples: ({ partitions }) =>
      partitions.map(({ partition, spaceLow }) => [
        { partition: String(partition) },
        Number(spaceLow),
      ]),
  },
  {
    kind: 'gauge',
    name: 'capstan_event_loop_lag_seconds',
    help: 'How late the event loop of a thread came, in the last 5 seconds.',
    labels: ['thread', 'quantile'],
    samples: ({ threads }) =>
      threads.flatMap(({ thread, loopLagSeconds: { p50, p99, max } }): Sample[] => [
        [{ thread, quantile: '0.5' }, p50],
        [{ thread, quantile: '0.99' }, p99],
        [{ thread, quantile: '1' }, max],
      ]),
  },
  {
    kind: 'counter',
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, all threads.',
    labels: [],
    samples: () => {
      const { user, system } = process.cpuUsage();
      return [[{}, (user + system) / 1e6]];
    },
  },
  {
    kind: 'gauge',
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    labels: [],
    samples: () => [[{}, process.memoryUsage.rss()]],
  },
];

/** The text of one scrape. A registry of its own each time: scrapes that overlap share nothing. */
export async function metricsText(
  measurements: Measurements,
  selection: QueueSelection,
  now: number,
): Promise<string> {
  const registry = new Registry();
  const scrape: Scrape = { ...measurements, selection, now };
  for (const { kind, name, help, labels, samples } of FAMILIES) {
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === 'counter') {
      const counter = new Counter(configuration);
      for (const [values, value] of samples(scrape)) counter.inc(values, value);
    } else {
      const gauge = new Gauge(configuration);
      for (const [values, value] of samples(scrape)) gauge.set(values, value);
    }
  }
  return registry.metrics();
}
