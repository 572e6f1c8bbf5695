/* Buffers for frames that hold batches. A frame is kept until it is answered, and by then it has
 * left the socket: its buffer is used again, instead of being made, zeroed and collected. */

import { FrameWriter } from '../wire/frame-writer.ts';

/** Holds a batch of a hundred small messages without growing. */
const BUFFER_BYTES = 64 * 1024;
/** A buffer that has grown past this is not kept. */
const KEPT_BYTES_MAX = 1024 * 1024;
const KEPT_MAX = 16;

export class FramePool {
  readonly #kept: FrameWriter[] = [];

  take(): FrameWriter {
    return this.#kept.pop() ?? new FrameWriter(BUFFER_BYTES);
  }

  give(writer: FrameWriter): void {
    if (this.#kept.length === KEPT_MAX || writer.buffer.length > KEPT_BYTES_MAX) return;
    writer.length = 0;
    this.#kept.push(writer);
  }
}
