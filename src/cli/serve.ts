/* `capstan serve`. Clients wait for a server that starts: its threads load their code while this
 * one loads its own. */

import { startThreadsEarly } from '../base/early-threads.ts';
import { ownModule } from '../base/own-code.ts';
import { storedPartitions } from '../log/wal/folder-metadata.ts';
import type { Subcommand } from './command.ts';
import { addServeOptions, type ServeOptions, serveOptions } from './serve-options.ts';

const PARTITION_URL = ownModule('partition/partition-worker.js');
const DOOR_URL = ownModule('door/door-worker.js');

export const serveCommand: Subcommand = (program, context) => {
  const command = program.command('serve').description('Run the server.');
  addServeOptions(command).action(async (parsed: ServeOptions) => {
    const options = serveOptions(parsed, context.env);
    // A new folder has nothing to be read while clients wait.
    const partitions = options.partitions ?? storedPartitions(options.data) ?? 0;
    startThreadsEarly(PARTITION_URL, partitions);
    startThreadsEarly(DOOR_URL, options.doors);
    const { runServer } = await import('./server-run.ts');
    await runServer(options, context);
  });
};
