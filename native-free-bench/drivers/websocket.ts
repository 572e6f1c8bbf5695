/* The native protocol, through the package's own client. */

import type { OpenDriver } from './driver.ts';
import { type BrokerObject, driveObjects } from './queue-objects.ts';

const CONNECTS_AT_ONCE = 100; // a listen queue has its end

interface ClientPackage {
  readonly connect: (url: string) => Promise<BrokerObject>;
}

const CLIENT_PACKAGE: string = 'capstan/client';

export const open: OpenDriver = async (options) => {
  const { connect } = (await import(CLIENT_PACKAGE)) as ClientPackage;
  const remotes: BrokerObject[] = [];
  while (remotes.length < options.connections) {
    const count = Math.min(CONNECTS_AT_ONCE, options.connections - remotes.length);
    remotes.push(...(await Promise.all(Array.from({ length: count }, () => connect(options.url)))));
  }
  return driveObjects(remotes, options);
};
