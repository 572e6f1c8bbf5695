/* Writing results: lines for people, JSON for programs. A reader that is slow is waited for; one
 * that has gone away (`capstan peek orders | head -1`) ends the command without a complaint. */

import { once } from 'node:events';
import type { CliContext, Output } from './command.ts';

const COLUMNS_WITHOUT_TERMINAL = Infinity;

/** Resolves when it is time to write more. */
export async function write(stream: Output, text: string | Uint8Array): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

export async function writeLines({ stdout }: CliContext, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await write(stdout, `${lines.join('\n')}\n`);
}

/** One JSON value on a line of its own. */
export async function writeJson({ stdout }: CliContext, value: unknown): Promise<void> {
  await write(stdout, `${JSON.stringify(value)}\n`);
}

/** Of a terminal; whatever else there is takes lines of any length. */
export function columnsOf(stream: Output): number {
  return stream.isTTY === true ? (stream.columns ?? 80) : COLUMNS_WITHOUT_TERMINAL;
}

/** `1 message`, `2 messages`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
