/* Walks over one segment: every frame in order, every record of it, and a verdict on the place
 * where the frames break off. Recovery, verification and scrubbing all walk this way. Any thread.
 *
 * Invariants: no frame is skipped. Nothing is given up that a later frame says was on disk. */

import type { ReplayHandler } from '../log.ts';
import type { FrameReader } from './frame-reader.ts';
import { NO_REST, type Rest, searchRest } from './frame-search.ts';
import { SEGMENT_HEADER_BYTES } from './record.ts';
import { CorruptionError, type Segment } from './segment.ts';
import type { StorageFile } from './storage.ts';

/** What is to be done where the frames break off. */
export type Verdict = 'accept' | 'truncate' | 'refuse';

/** How the next segment stands to the frame that is missing here. */
type NextSegment = 'continues' | 'skips' | 'none';

const ANY = undefined;

/** The first row that fits counts. */
export const VERDICTS: readonly (readonly [
  name: string,
  next: NextSegment,
  vouched: boolean | undefined,
  remains: boolean | undefined,
  verdict: Verdict,
])[] = [
  // name    next segment vouched remains verdict
  ['sealed', 'continues', ANY, ANY, 'accept'], // What lies behind counts for nothing.
  ['gap', /**/ 'skips', ANY, ANY, 'refuse'], // A segment is on disk whole before the next is begun.
  ['rot', /**/ 'none', true, ANY, 'refuse'], // A later frame says that this one was on disk.
  ['torn', /*  */ 'none', false, true, 'truncate'], // A write that no sync has covered.
  ['end', /**/ 'none', false, false, 'accept'],
];

export interface SegmentWalk {
  /** That of the frame that is not there. */
  readonly nextSequence: number;
  readonly frames: number;
  readonly records: number;
  /** Of frames, headers included. */
  readonly bytes: number;
  /** Offset of the first frame of which no other says that it is on disk. */
  readonly unproven: number;
  readonly verdict: Exclude<Verdict, 'refuse'>;
  readonly rest: Rest;
}

/** Walks over `segment` in `file`, which `next` follows; sets the segment's end and notes its
 *  frames. `onFrame` is called for each frame before its records.
 *  Throws CAPSTAN_LOG_CORRUPT. */
export function walkSegment(
  reader: FrameReader,
  file: StorageFile,
  segment: Segment,
  next: Segment | undefined,
  onRecord: ReplayHandler,
  onFrame: (reader: FrameReader) => void = () => {},
): SegmentWalk {
  const { header } = segment;
  const endSequence = next?.header.firstSequence ?? Number.POSITIVE_INFINITY;
  const proofs = new Proofs();
  let sequence = header.firstSequence;
  let records = 0;
  reader.open(file, header, SEGMENT_HEADER_BYTES, header.segmentBytes);
  while (sequence < endSequence && reader.next() && reader.sequence === sequence) {
    onFrame(reader);
    if (!reader.forEachRecord(onRecord)) {
      const what = 'the records overrun their frame';
      throw new CorruptionError({ file: segment.path, offset: reader.frameOffset, what });
    }
    segment.noteFrame(reader.frameOffset);
    segment.end = reader.offset;
    proofs.note(sequence, reader.frameOffset, reader.durableSequence);
    records += reader.records;
    sequence++;
  }
  return {
    nextSequence: sequence,
    frames: sequence - header.firstSequence,
    records,
    bytes: segment.end - SEGMENT_HEADER_BYTES,
    unproven: proofs.firstUnproven ?? segment.end,
    ...judge(file, segment, next, sequence),
  };
}

/** One line on a torn tail. */
export function tornTail({ path, end }: Segment, { rest, nextSequence }: SegmentWalk): string {
  const bytes = rest.remainsEnd - end;
  const later = rest.laterFrames === 0 ? '' : `, ${rest.laterFrames} whole frames among them`;
  return (
    `${path}, offset ${end}: the log ends before frame ${nextSequence}, which was torn as it was ` +
    `written and never acknowledged as on disk; ${bytes} bytes or more are cut${later}.`
  );
}

function judge(
  file: StorageFile,
  segment: Segment,
  next: Segment | undefined,
  missing: number,
): Pick<SegmentWalk, 'verdict' | 'rest'> {
  const step = stepTo(next, missing);
  const rest = step === 'none' ? searchRest(file, segment.header, segment.end, missing) : NO_REST;
  const row = VERDICTS.find(
    ([, nextSegment, vouched, remains]) =>
      nextSegment === step &&
      (vouched ?? rest.vouched) === rest.vouched &&
      (remains ?? rest.remains) === rest.remains,
  );
  const verdict = row![4];
  if (verdict !== 'refuse') return { verdict, rest };
  const what = `frame ${missing} is missing or damaged, and what follows says that it was on disk`;
  throw new CorruptionError({ file: segment.path, offset: segment.end, what });
}

function stepTo(next: Segment | undefined, missing: number): NextSegment {
  if (next === undefined) return 'none';
  return next.header.firstSequence === missing ? 'continues' : 'skips';
}

/** Which frames of a segment a later frame has proven to be on disk. */
class Proofs {
  readonly #sequences: number[] = [];
  readonly #offsets: number[] = [];
  #first = 0;

  note(sequence: number, offset: number, durableSequence: number): void {
    this.#sequences.push(sequence);
    this.#offsets.push(offset);
    while (this.#sequences[this.#first]! <= durableSequence) this.#first++;
  }

  get firstUnproven(): number | undefined {
    return this.#offsets[this.#first];
  }
}
