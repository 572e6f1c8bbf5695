/* Every subcommand, in the order in which `capstan --help` lists them. */

import type { Subcommand } from './command.ts';
import { serveCommand } from './serve.ts';

export const COMMANDS: readonly Subcommand[] = [serveCommand];
