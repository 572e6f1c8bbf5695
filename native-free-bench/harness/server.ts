/* Capstan itself as the server under measurement: the built package, started as its users start it,
 * on a free port with a data folder of its own. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer, freePort } from './child-server.ts';
import { settled } from './settled.ts';

const READY_TIMEOUT_MS = 60_000; // ten million messages are to be back well before

export interface ServerOptions {
  readonly partitions?: number | undefined;
  readonly doors?: number | undefined;
  /** By default `fsync`. */
  readonly durability?: string | undefined;
  /** More of the command line. */
  readonly flags?: readonly string[] | undefined;
}

export interface ServerPlace {
  /** Where data folders go: on the disk under measurement. */
  readonly scratch: string;
  /** Arguments for node itself, as `--cpu-prof`. */
  readonly nodeArguments: readonly string[];
}

/** The command as it is built, beside the package's entry. */
function mainFile(): string {
  return fileURLToPath(new URL('bundle/main.js', import.meta.resolve('capstan')));
}

export class CapstanServer {
  readonly options: ServerOptions;
  readonly port: number;
  readonly directory: string;
  readonly data: string;
  readonly #place: ServerPlace;
  #child: ChildServer;

  private constructor(options: ServerOptions, place: ServerPlace, port: number) {
    this.options = options;
    this.port = port;
    this.#place = place;
    mkdirSync(place.scratch, { recursive: true });
    this.directory = mkdtempSync(join(place.scratch, 'capstan-'));
    this.data = join(this.directory, 'data');
    this.#child = this.#spawn();
  }

  static async start(options: ServerOptions, place: ServerPlace): Promise<CapstanServer> {
    const server = new CapstanServer(options, place, await freePort());
    await server.#ready();
    await settled(server.data);
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get durability(): string {
    return this.options.durability ?? 'fsync';
  }

  #spawn(): ChildServer {
    const { partitions, doors, flags = [] } = this.options;
    const counts = Object.entries({ partitions, doors }).flatMap(([name, count]) =>
      count === undefined ? [] : [`--${name}`, String(count)],
    );
    const place = ['--host', '127.0.0.1', '--port', String(this.port), '--data', this.data];
    return new ChildServer({
      command: process.execPath,
      arguments: [
        ...this.#place.nodeArguments,
        mainFile(),
        'serve',
        ...place,
        '--durability',
        this.durability,
        ...counts,
        ...flags,
      ],
      directory: this.directory,
      logFile: join(this.directory, 'server.log'),
    });
  }

  async #ready(): Promise<void> {
    try {
      await this.#child.ready(async () => {
        const answer = await fetch(`${this.httpUrl}/healthz`).catch(() => undefined);
        await answer?.arrayBuffer();
        return answer?.status === 200;
      }, READY_TIMEOUT_MS);
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /** Ends the process and starts it anew on the same data; resolves at once after the start. */
  async restart(how: 'stop' | 'kill'): Promise<void> {
    await this.#child[how]();
    this.#child = this.#spawn();
  }

  /** Stops the server, and removes its data. */
  async close(): Promise<void> {
    try {
      await this.#child.stop();
    } finally {
      await this.remove();
    }
  }

  /** Ends the server in any way, and removes its data. */
  async remove(): Promise<void> {
    await this.#child.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
