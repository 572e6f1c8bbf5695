/* The broker inside the load process: there is no server, the process is the host program. */

import { openBroker } from 'capstan';
import type { OpenDriver } from './driver.ts';
import { driveObjects } from './queue-objects.ts';

/** `options.url` is the data folder. */
export const open: OpenDriver = async (options) =>
  driveObjects([await openBroker({ data: options.url })], options);
