/** The flags of Node that threads of this process are started with: its own, but for the one that
 *  says how to read a program from the command line, which no thread can be given. */
export function workerArguments(): string[] {
  return process.execArgv.filter((argument) => !argument.startsWith('--input-type'));
}
