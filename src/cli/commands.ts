/* Every subcommand, in the order in which `capstan --help` lists them. Each is loaded when it is
 * asked for: a server that starts has its clients waiting, and needs none of the others. */

import type { Subcommand } from './command.ts';

export interface NamedSubcommand {
  readonly name: string;
  readonly load: () => Promise<Subcommand>;
}

export const COMMANDS: readonly NamedSubcommand[] = [
  { name: 'serve', load: async () => (await import('./serve.ts')).serveCommand },
  { name: 'queue', load: async () => (await import('./queue.ts')).queueCommand },
  { name: 'send', load: async () => (await import('./send.ts')).sendCommand },
  { name: 'receive', load: async () => (await import('./receive.ts')).receiveCommand },
  { name: 'delete', load: async () => (await import('./receive.ts')).deleteCommand },
  { name: 'peek', load: async () => (await import('./receive.ts')).peekCommand },
  { name: 'consume', load: async () => (await import('./consume.ts')).consumeCommand },
  { name: 'redrive', load: async () => (await import('./redrive.ts')).redriveCommand },
  { name: 'top', load: async () => (await import('./top.ts')).topCommand },
  { name: 'log', load: async () => (await import('./log.ts')).logCommand },
  { name: 'backup', load: async () => (await import('./backup.ts')).backupCommand },
];
