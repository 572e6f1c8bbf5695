/* What Node's own flags mean for the threads that the process starts. */

const IS_FOR_PROGRAMS = /^--input-type/;

/** The flags of Node that threads of this process are started with: its own, but for the one that
 *  says how to read a program from the command line, which no thread can be given. Without that
 *  one none are named: Node hands down its own, and refuses V8's flags only in a list. */
export function workerArguments(): { readonly execArgv?: string[] } {
  const { execArgv } = process;
  if (!execArgv.some((argument) => IS_FOR_PROGRAMS.test(argument))) return {};
  return { execArgv: execArgv.filter((argument) => !IS_FOR_PROGRAMS.test(argument)) };
}
