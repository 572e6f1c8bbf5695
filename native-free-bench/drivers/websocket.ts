/* The native protocol, through the package's own client. */

import { type Broker, connect } from 'capstan/client';
import type { OpenDriver } from './driver.ts';
import { driveObjects } from './queue-objects.ts';

const CONNECTS_AT_ONCE = 100; // a listen queue has its end

export const open: OpenDriver = async (options) => {
  const remotes: Broker[] = [];
  while (remotes.length < options.connections) {
    const count = Math.min(CONNECTS_AT_ONCE, options.connections - remotes.length);
    remotes.push(...(await Promise.all(Array.from({ length: count }, () => connect(options.url)))));
  }
  return driveObjects(remotes, options);
};
