/* Threads that are started before it is known what for. A thread takes a while to load its code, as
 * the main thread takes a while to find out what it is to do: side by side, both take half of it.
 *
 * Key invariant: a thread gets its start exactly once: as `workerData` when it was started for it,
 * else as its first message. Main thread, and the end in each thread. */

import { parentPort, Worker, type WorkerOptions, workerData } from 'node:worker_threads';
import { workerArguments } from './worker-arguments.ts';

/** `workerData` of a thread that was started early. */
const LATER = 'the start follows as a message';

/** By the URL of their code. */
const early = new Map<string, Worker[]>();

/** Starts `count` threads that run `url`, each for one `startThread` to come. They do not keep the
 *  process until then. */
export function startThreadsEarly(url: URL, count: number): void {
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(url, { workerData: LATER, ...workerArguments() });
    worker.unref();
    return worker;
  });
  early.set(url.href, [...(early.get(url.href) ?? []), ...workers]);
}

/** A thread that runs `url` with this start; one that was started early, if there is one left. Its
 *  code awaits `threadStart`. */
export function startThread(
  url: URL,
  options: Pick<WorkerOptions, 'workerData' | 'transferList' | 'name'>,
): Worker {
  const worker = early.get(url.href)?.shift();
  if (worker === undefined) return new Worker(url, { ...options, ...workerArguments() });
  worker.ref();
  worker.postMessage(options.workerData, options.transferList ?? []);
  return worker;
}

/** Ends the threads that nobody has had a use for. */
export function endEarlyThreads(): void {
  for (const worker of [...early.values()].flat()) void worker.terminate();
  early.clear();
}

/** Listens from the first import on: the start may come while the thread still loads its code. */
const start: Promise<unknown> =
  workerData === LATER
    ? new Promise((resolve) => {
        parentPort!.once('message', resolve);
      })
    : Promise.resolve(workerData);

/** What this thread was started for. */
export function threadStart<T>(): Promise<T> {
  return start as Promise<T>;
}
