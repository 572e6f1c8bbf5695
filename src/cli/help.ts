/* What `capstan --help` says beneath its list of subcommands: enough for a first session. */

import { EXIT_CODES_HELP } from './exit-codes.ts';

export const HELP_AFTER = `
A first session:
  capstan serve                                  starts a server here; Ctrl-C stops it
  capstan queue create orders                    in another terminal
  capstan send orders hello 'and again'          two messages
  seq 1 100000 | capstan send orders             a message per line
  capstan queue ls                               how many wait
  capstan peek orders                            a look, without taking any
  capstan receive orders --max 2 --delete        takes two, for good
  capstan consume orders --exec 'cat; echo'      runs a command for each one
  capstan top                                    watches it all

A message that was received and not deleted comes back once its visibility timeout is over.
Times are written 250ms, 30s, 5m, 1h30m or 4d. Every subcommand has --help; most have --json.
CAPSTAN_URL names the server for all of them.

${EXIT_CODES_HELP}
`;
