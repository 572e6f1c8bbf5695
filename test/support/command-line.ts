/* Command lines run in the test's own process, with streams and signals of the test's. */

import { PassThrough, Readable } from 'node:stream';
import type { CliContext, Output } from '../../src/cli/command.ts';
import { runProgram } from '../../src/cli/program.ts';

export interface RunOptions {
  /** A stream: what comes when, and whether it ends, is the test's. */
  readonly input?: string | Readable;
  readonly env?: Readonly<Record<string, string>>;
  /** A person looks on, at a screen of so many columns. */
  readonly columns?: number;
}

export interface CommandRun {
  readonly out: string;
  readonly err: string;
  readonly code: number;
  /** Every line of `out` as JSON. */
  readonly json: readonly Record<string, unknown>[];
}

class Capture {
  readonly stream: Output;
  #text = '';

  constructor(columns: number | undefined) {
    const stream = new PassThrough();
    stream.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
    });
    this.stream = columns === undefined ? stream : Object.assign(stream, { isTTY: true, columns });
  }

  get text(): string {
    return this.#text;
  }
}

/** One that is under way. */
export class RunningCommand {
  readonly ended: Promise<CommandRun>;
  readonly #out: Capture;
  readonly #err: Capture;
  readonly #listeners = new Set<(signal: NodeJS.Signals) => void>();

  constructor(args: readonly string[], options: RunOptions = {}) {
    this.#out = new Capture(options.columns);
    this.#err = new Capture(options.columns);
    this.ended = this.#run(args, options);
  }

  async #run(args: readonly string[], { input = '', env = {} }: RunOptions): Promise<CommandRun> {
    let code = 0;
    const context: CliContext = {
      version: '1.2.3',
      env: { ...process.env, ...env },
      stdin: typeof input === 'string' ? inputOf(input) : input,
      stdout: this.#out.stream,
      stderr: this.#err.stream,
      setExitCode: (exitCode) => {
        code = exitCode;
      },
      onStopSignal: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      // What fails inside a command fails its test.
      onDefect: () => () => undefined,
    };
    await runProgram(['node', 'capstan', ...args], context);
    // What was written last arrives a turn later.
    await new Promise(setImmediate);
    const { text: out } = this.#out;
    return {
      out,
      err: this.#err.text,
      code,
      get json() {
        return out
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      },
    };
  }

  get out(): string {
    return this.#out.text;
  }

  get err(): string {
    return this.#err.text;
  }

  interrupt(): void {
    for (const listener of this.#listeners) listener('SIGINT');
  }
}

function inputOf(text: string): Readable {
  return Readable.from(text === '' ? [] : [Buffer.from(text)], { objectMode: false });
}

export function runCommand(args: readonly string[], options?: RunOptions): Promise<CommandRun> {
  return new RunningCommand(args, options).ended;
}
