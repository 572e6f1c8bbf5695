/* Every subcommand, in the order in which `capstan --help` lists them. */

import { backupCommand } from './backup.ts';
import type { Subcommand } from './command.ts';
import { consumeCommand } from './consume.ts';
import { logCommand } from './log.ts';
import { queueCommand } from './queue.ts';
import { deleteCommand, peekCommand, receiveCommand } from './receive.ts';
import { redriveCommand } from './redrive.ts';
import { sendCommand } from './send.ts';
import { serveCommand } from './serve.ts';
import { topCommand } from './top.ts';

export const COMMANDS: readonly Subcommand[] = [
  serveCommand,
  queueCommand,
  sendCommand,
  receiveCommand,
  deleteCommand,
  peekCommand,
  consumeCommand,
  redriveCommand,
  topCommand,
  logCommand,
  backupCommand,
];
