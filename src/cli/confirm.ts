/* Asks before something that cannot be taken back. */

import { createInterface } from 'node:readline/promises';
import type { CliContext } from './command.ts';
import { usageError } from './exit-codes.ts';

/** Resolves if `yes` was given or is answered; rejects otherwise. A program is not asked: it must
 *  say `--yes`. */
export async function confirm(
  { stdin, stderr }: CliContext,
  question: string,
  yes: boolean | undefined,
): Promise<void> {
  if (yes === true) return;
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw usageError(`${question} Add --yes to do it without being asked.`);
  }
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw usageError('Nothing was changed.');
  } finally {
    lines.close();
  }
}
