/* The loads by name. Each is loaded only by the load process that runs it. */

import type { Load } from '../harness/load-contract.ts';

// biome-ignore format: one line each reads best.
export const LOADS = {
  backlog: () => import('./backlog.ts'),
  cycle: () => import('./cycle.ts'),
  disk: () => import('./disk.ts'),
  enqueue: () => import('./enqueue.ts'),
  idle: () => import('./idle.ts'),
  latency: () => import('./latency.ts'),
  lockstep: () => import('./lockstep.ts'),
  straggler: () => import('./straggler.ts'),
  stalls: () => import('./stalls.ts'),
  ring: () => import('./ring.ts'),
  tenants: () => import('./tenants.ts'),
  'autocannon-post': () => import('./autocannon-post.ts'),
  'autocannon-cycle': () => import('./autocannon-cycle.ts'),
  'autocannon-take': () => import('./autocannon-take.ts'),
} as const satisfies Record<string, () => Promise<{ readonly load: Load<never> }>>;

export type LoadName = keyof typeof LOADS;

type LoadOf<N extends LoadName> = Awaited<ReturnType<(typeof LOADS)[N]>>['load'];
export type LoadParameters<N extends LoadName> = Parameters<LoadOf<N>>[0];
