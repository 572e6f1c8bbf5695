/* A stream of bytes as lines, and as batches of them. */

/** Lines as bytes, without their ends; the last one needs no end. A line longer than `bytesMax` is
 *  refused by `tooLong`, which throws. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array | string>,
  bytesMax: number,
  tooLong: (line: number) => never,
): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let line = 1;
  for await (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk);
    let from = 0;
    for (let at = bytes.indexOf('\n'); at >= 0; at = bytes.indexOf('\n', from)) {
      rest.push(bytes.subarray(from, at));
      const whole = withoutReturn(Buffer.concat(rest));
      if (whole.length > bytesMax) tooLong(line);
      yield whole;
      line++;
      rest = [];
      restBytes = 0;
      from = at + 1;
    }
    rest.push(bytes.subarray(from));
    restBytes += bytes.length - from;
    // One byte more: the return before a line's end is not part of it.
    if (restBytes > bytesMax + 1) tooLong(line);
  }
  const last = Buffer.concat(rest);
  if (last.length > bytesMax) tooLong(line);
  if (last.length > 0) yield last;
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}

/** Groups of up to `countMax` values that weigh up to `weightMax` together, or of one value. A
 *  group that is begun is not held back: when the values pause for `patienceMs`, it goes. */
export async function* batchesOf<Value>(
  values: AsyncIterable<Value>,
  weigh: (value: Value) => number,
  limits: { readonly countMax: number; readonly weightMax: number; readonly patienceMs: number },
): AsyncGenerator<Value[]> {
  const iterator = values[Symbol.asyncIterator]();
  let batch: Value[] = [];
  let weight = 0;
  let next = iterator.next();
  for (;;) {
    const result = batch.length === 0 ? await next : await within(next, limits.patienceMs);
    if (result === 'paused') {
      yield batch;
      batch = [];
      weight = 0;
      continue;
    }
    if (result.done === true) break;
    const valueWeight = weigh(result.value);
    const isFull = batch.length === limits.countMax || weight + valueWeight > limits.weightMax;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      weight = 0;
    }
    batch.push(result.value);
    weight += valueWeight;
    next = iterator.next();
  }
  if (batch.length > 0) yield batch;
}

async function within<Result>(promise: Promise<Result>, ms: number): Promise<Result | 'paused'> {
  let timer: NodeJS.Timeout | undefined;
  const pause = new Promise<'paused'>((resolve) => {
    timer = setTimeout(resolve, ms, 'paused');
  });
  try {
    return await Promise.race([promise, pause]);
  } finally {
    clearTimeout(timer);
  }
}
