/* Ends a door's thread that hangs. The main thread asks for it; `onAbandon` belongs to the door's.
 *
 * A thread that is terminated while its sockets are open takes the whole process with it, and one
 * that hangs closes none, whatever it is told: it takes no messages. But the inspector interrupts
 * JavaScript wherever it is, in an endless loop, a wait or a regular expression, and evaluates an
 * expression there. That closes the sockets; only then is the thread terminated. One that hangs in
 * native code does not answer, and cannot be ended without the process. */

import type { Session } from 'node:inspector';
import type { Worker } from 'node:worker_threads';

const NAME = 'capstan.abandon';
/** A thread that never came as far as `onAbandon` has no sockets. */
const EXPRESSION = `globalThis[Symbol.for('${NAME}')]?.()`;
const EVALUATION_ID = 1;

interface Answer {
  readonly id?: number;
  readonly result?: { readonly exceptionDetails?: unknown };
}

/** Before this thread is terminated, whatever it does then, `close` is called. */
export function onAbandon(close: () => void): void {
  Object.defineProperty(globalThis, Symbol.for(NAME), { value: close });
}

/** Resolves when the thread has ended: never, if it hangs in native code. Rejects when it could not
 *  close its sockets. */
export async function endHungThread(worker: Worker): Promise<void> {
  let hasExited = false;
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      hasExited = true;
      resolve();
    });
  });
  // Loaded at need: a Node that was built without it still runs everything else.
  const inspector = await import('node:inspector');
  if (hasExited) return;
  const session = new inspector.Session();
  session.connect();
  try {
    await Promise.race([exited, evaluate(session, worker.threadId)]);
    await worker.terminate();
  } finally {
    session.disconnect();
  }
}

/** Resolves when the expression has run to its end in the thread. */
function evaluate(session: Session, threadId: number): Promise<void> {
  // The ids of the inspector are its own: it says in words which thread it means.
  const title = `[worker ${threadId}]`;
  return new Promise((resolve, reject) => {
    const orReject = (error: Error | null): void => {
      if (error !== null) reject(error);
    };
    let sessionId: string | undefined;
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      if (!params.workerInfo.title.startsWith(title)) return;
      ({ sessionId } = params);
      const call = { id: EVALUATION_ID, method: 'Runtime.evaluate' };
      const message = JSON.stringify({ ...call, params: { expression: EXPRESSION } });
      session.post('NodeWorker.sendMessageToWorker', { sessionId, message }, orReject);
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      if (params.sessionId !== sessionId) return;
      const { id, result } = JSON.parse(params.message) as Answer;
      if (id !== EVALUATION_ID) return;
      if (result?.exceptionDetails === undefined) resolve();
      else reject(new Error(`its sockets stay open: ${JSON.stringify(result.exceptionDetails)}`));
    });
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, orReject);
  });
}
