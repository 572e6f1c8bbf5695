/* The drivers by name. Each is loaded only by the process that uses it. */

import type { Driver, DriverOptions, OpenDriver } from './driver.ts';

const DRIVERS = {
  embedded: () => import('./embedded.ts'),
  websocket: () => import('./websocket.ts'),
  'sqs-json': () => import('./sqs-json.ts'),
  'sqs-query': () => import('./sqs-query.ts'),
  hello: () => import('./hello.ts'),
  rest: () => import('./rest.ts'),
  'redis-streams': () => import('./redis-streams.ts'),
  bullmq: () => import('./bullmq.ts'),
  beanstalkd: () => import('./beanstalkd.ts'),
  nats: () => import('./nats.ts'),
  postgresql: () => import('./postgresql.ts'),
  rabbitmq: () => import('./rabbitmq.ts'),
} as const satisfies Record<string, () => Promise<{ readonly open: OpenDriver }>>;

export type DriverName = keyof typeof DRIVERS;

/** Connects, and creates the queue. */
export async function openDriver(name: DriverName, options: DriverOptions): Promise<Driver> {
  const { open } = await DRIVERS[name]();
  const driver = await open(options);
  await driver.createQueue();
  return driver;
}
