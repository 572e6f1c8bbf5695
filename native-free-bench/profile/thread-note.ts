/* Loaded into every thread of a measured process before anything else: notes which thread of the
 * system it is, and what it began with, in a file that is named like the process. The folder of the
 * file comes in the address that this module is loaded from. */

import { appendFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

const folder = new URL(import.meta.url).searchParams.get('folder');
if (folder !== null) {
  const systemId = readlinkSync('/proc/thread-self').split('/').at(-1);
  appendFileSync(
    join(folder, String(process.pid)),
    `${systemId} ${threadId} ${process.argv[1] ?? ''}\n`,
  );
}
