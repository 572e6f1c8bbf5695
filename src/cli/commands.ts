/* Every subcommand, in the order in which `capstan --help` lists them. */

import { backupCommand } from './backup.ts';
import type { Subcommand } from './command.ts';
import { logCommand } from './log.ts';
import { serveCommand } from './serve.ts';

export const COMMANDS: readonly Subcommand[] = [serveCommand, logCommand, backupCommand];
