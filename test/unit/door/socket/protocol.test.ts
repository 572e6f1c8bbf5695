/* Holds PROTOCOL.md to the code, and the code to PROTOCOL.md. */

import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { ERRORS } from '../../../../src/base/errors.ts';
import { SILENT_LOGGER } from '../../../../src/base/logger.ts';
import { HANDLERS } from '../../../../src/door/socket/handlers.ts';
import { SessionContext } from '../../../../src/door/socket/session.ts';
import { CLOSE, FATAL_CLOSE_CODES, FRAME, FRAME_FIELDS } from '../../../../src/wire/frame.ts';
import { deliveriesOf, framesOf } from '../../../support/native-frames.ts';
import { NativePeer } from '../../../support/native-peer.ts';
import { WaitingQueueService } from '../../../support/waiting-queue-service.ts';

const PAGE = readFileSync(
  new URL('../../../../src/door/socket/PROTOCOL.md', import.meta.url),
  'utf8',
);

/** The cells of every row whose first one is a number. */
const ROWS = PAGE.split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** The session at the end of the page, one WebSocket message each. */
function session(): { from: string; bytes: Buffer }[] {
  const [, block] = /```hex\n([\s\S]*?)```/.exec(PAGE)!;
  return block!.split(/^(?=[<>])/m).map((text) => ({
    from: text[0]!,
    bytes: Buffer.from(text.slice(1).replaceAll(/\s/g, ''), 'hex'),
  }));
}

let peer: NativePeer | undefined;
afterEach(() => peer?.close());

it('the page names every kind of frame, with its number and its elements', () => {
  for (const [name, kind] of Object.entries(FRAME)) {
    const row = ROWS.find(([number, title]) => Number(number) === kind && title === name);
    expect(row, name).toBeDefined();
    const elements = row![2]!.split(', ').filter((each) => each !== '');
    expect(elements.length + 1, name).toBe(FRAME_FIELDS[kind]);
  }
});

it('the page names every error, with its number and whether it passes', () => {
  for (const [code, { number, retryable }] of Object.entries(ERRORS)) {
    expect(ROWS).toContainEqual([`${number}`, code, retryable ? 'yes' : 'no']);
  }
});

it('the page names every close code, and after which ones to connect again', () => {
  for (const code of Object.values(CLOSE)) {
    if (code === CLOSE.NORMAL) continue;
    const row = ROWS.find(([number]) => Number(number) === code);
    expect(row?.[2], `${code}`).toBe(FATAL_CLOSE_CODES.has(code) ? 'no' : 'yes');
  }
});

it('the session on the page is what a server answers, byte by byte', async () => {
  const service = new WaitingQueueService();
  await service.createQueue('orders', {});
  const context = new SessionContext({ service, handlers: HANDLERS, logger: SILENT_LOGGER });
  peer = new NativePeer(context);
  const shown: string[] = [];
  const answered: string[] = [];
  for (const { from, bytes } of session()) {
    const hex = bytes.toString('hex');
    if (from === '>') {
      await peer.sendBytes(bytes);
      for (const message of peer.messages.splice(0))
        answered.push(Buffer.from(message).toString('hex'));
    } else {
      shown.push(hex);
    }
  }
  // What the limits of WELCOME are is not the page's to say.
  expect(shown.slice(1)).toEqual(answered.slice(1));
  const [kind, correlation, version, limits] = framesOf(Buffer.from(shown[0]!, 'hex'))[0]!;
  const now = framesOf(Buffer.from(answered[0]!, 'hex'))[0]![3];
  expect([kind, correlation, version]).toEqual([32, 1, 1]);
  expect(Object.keys(limits as object)).toEqual(Object.keys(now as object));
  expect(peer.closedWith).toBeUndefined();
});

it('the session on the page says what the page says', () => {
  const frames = session().flatMap(({ from, bytes }) =>
    framesOf(bytes).map((frame) => ({ from, frame })),
  );
  expect(frames.map(({ from, frame }) => `${from}${String(frame[0])}`)).toEqual([
    '>1',
    '<32',
    '>2',
    '>3',
    '<34',
    '>4',
    '<35',
    '>5',
    '<36',
  ]);
  const [delivery] = deliveriesOf(frames[6]!.frame[3] as Uint8Array);
  expect(delivery).toMatchObject({ body: 'hello', receiveCount: 1 });
  expect(frames[7]!.frame[4]).toEqual(new Uint8Array(delivery!.receipt));
});
