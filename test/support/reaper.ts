/* Ends the processes that tests have started once the tests' own process is gone, however it went.
 * A shell reads their ids from a pipe, and kills those that are left when the pipe ends. */

import { type ChildProcess, spawn } from 'node:child_process';

/** Lines are `begun ID` and `ended ID`. */
export const REAPER_SCRIPT = `
left=
while read -r what pid; do
  rest=
  for each in $left; do [ "$each" = "$pid" ] || rest="$rest $each"; done
  left=$rest
  [ "$what" = begun ] && left="$left $pid"
done
[ -z "$left" ] || kill -9 $left
`;

let reaper: ChildProcess | undefined;

function tell(line: string): void {
  if (reaper === undefined) {
    // In a session of its own: what ends the tests' process group must not end it as well.
    const stdio = ['pipe', 'ignore', 'ignore'] as const;
    reaper = spawn('sh', ['-c', REAPER_SCRIPT], { detached: true, stdio: [...stdio] });
    // Where there is no shell, a killed run of the tests leaves its processes.
    reaper.on('error', () => undefined);
    reaper.stdin!.on('error', () => undefined);
    reaper.unref();
  }
  reaper.stdin!.write(`${line}\n`);
}

/** `child` is not to outlive this process. */
export function reap(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  tell(`begun ${pid}`);
  child.once('exit', () => tell(`ended ${pid}`));
}
