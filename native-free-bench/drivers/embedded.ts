/* The broker inside the load process: there is no server, the process is the host program. */

import { openBroker } from 'capstan';
import { settled } from '../harness/settled.ts';
import type { OpenDriver } from './driver.ts';
import { driveObjects } from './queue-objects.ts';

/** `options.url` is the data folder. */
export const open: OpenDriver = async (options) => {
  const broker = await openBroker({ data: options.url });
  await settled(options.url);
  return driveObjects([broker], options);
};
