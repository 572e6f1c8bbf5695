/* The main of a client's own process. Its only argument is its role, as JSON; it ends when its work
 * is done, when its parent says so, and with its parent. */

import { type ClientRole, runClientHere } from './client.ts';

const stop = new AbortController();
process.once('message', () => stop.abort());
// The channel closes when the parent is gone, however it went.
process.once('disconnect', () => process.exit(1));

const unexplained = await runClientHere(JSON.parse(process.argv[2]!) as ClientRole, stop.signal);
process.send?.(unexplained, () => process.exit(0));
