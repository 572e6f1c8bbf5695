/* The broker inside the load process: there is no server, the process is the host program. */

import type { OpenDriver } from './driver.ts';
import { type BrokerObject, driveObjects } from './queue-objects.ts';

interface Package {
  readonly openBroker: (options: Readonly<Record<string, unknown>>) => Promise<BrokerObject>;
}

const PACKAGE: string = 'capstan';

/** `options.url` is the data folder, `options.more` the rest of the broker's options. */
export const open: OpenDriver = async (options) => {
  const { openBroker } = (await import(PACKAGE)) as Package;
  return driveObjects([await openBroker({ data: options.url, ...options.more })], options);
};
