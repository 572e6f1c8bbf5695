import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunningCommand, type RunOptions, runCommand as run } from '../../support/command-line.ts';
import { type DoorOnFake, openDoorOnFake } from '../../support/door-on-fake.ts';
import { freePort } from '../../support/server.ts';

let door: DoorOnFake;

beforeEach(async () => {
  door = await openDoorOnFake();
});

afterEach(async () => {
  await door[Symbol.asyncDispose]();
});

function capstan(args: readonly string[], options: RunOptions = {}) {
  return run(addressed(args), options);
}

/** With the door's address, written as people copy it. */
function addressed(args: readonly string[]): string[] {
  return args.includes('--url') || args.includes('--help')
    ? [...args]
    : [...args, '--url', door.url];
}

async function done(args: readonly string[], options: RunOptions = {}) {
  const result = await capstan(args, options);
  expect(result, `${args.join(' ')}: ${result.err}`).toMatchObject({ code: 0 });
  return result;
}

describe('capstan queue', () => {
  it('creates queues with what is said of them, and lists them', async () => {
    await done(['queue', 'create', 'dead']);
    await done([
      ...['queue', 'create', 'orders', '--visibility', '2m', '--delay', '5s', '--retention', '1d'],
      ...['--wait', '20s', '--max-bytes', '2048', '--dead-letters', 'dead', '--max-receives', '3'],
      ...['--backoff', '1s,2,10m', '--tag', 'team=billing', 'tier=1'],
    ]);
    await done(['queue', 'create', 'row.fifo', '--content-deduplication', '--high-throughput']);
    expect(door.service.findQueue('orders')).toMatchObject({
      attributes: {
        visibilityTimeoutMs: 120_000,
        delayMs: 5_000,
        retentionMs: 86_400_000,
        receiveWaitMs: 20_000,
        messageBytesMax: 2_048,
        redrivePolicy: { deadLetterQueue: 'dead', maxReceiveCount: 3 },
        retryBackoff: { baseMs: 1_000, factor: 2, maxMs: 600_000 },
      },
      tags: { team: 'billing', tier: '1' },
    });
    expect(door.service.findQueue('row.fifo')?.attributes).toMatchObject({
      fifo: true,
      contentBasedDeduplication: true,
      deduplicationScope: 'messageGroup',
      throughputLimit: 'perMessageGroupId',
    });

    const { out } = await done(['queue', 'ls']);
    expect(out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['QUEUE', 'KIND', 'VISIBLE', 'IN FLIGHT', 'DELAYED', 'DEAD LETTERS TO'],
      ['dead', 'standard', '0', '0', '0', '-'],
      ['orders', 'standard', '0', '0', '0', 'dead, after 3 receives'],
      ['row.fifo', 'fifo', '0', '0', '0', '-'],
      [''],
    ]);
    const { json } = await done(['queue', 'ls', 'or', '--json']);
    expect(json).toMatchObject([{ name: 'orders', counts: { visible: 0 }, tags: { tier: '1' } }]);
  });

  it('says what to do where there is none yet', async () => {
    const { err } = await done(['queue', 'ls']);
    expect(err).toMatch(/queue create NAME/);
  });

  it('shows a queue', async () => {
    await done(['queue', 'create', 'dead']);
    await done(['queue', 'create', 'orders', '--dead-letters', 'dead']);
    await done(['send', 'orders', 'a', 'b']);
    const { out } = await done(['queue', 'show', 'orders']);
    expect(out).toMatch(/^queue +orders$/m);
    expect(out).toMatch(/^visible +2$/m);
    expect(out).toMatch(/^visibility timeout +30s$/m);
    expect(out).toMatch(/^dead letters to +dead, after 5 receives$/m);
    expect((await done(['queue', 'show', 'dead'])).out).toMatch(/^dead letters of +orders$/m);
    const { json } = await done(['queue', 'show', 'orders', '--json']);
    expect(json).toMatchObject([{ name: 'orders', counts: { visible: 2 }, deadLetterSources: [] }]);
  });

  it('purges and deletes only when that is confirmed', async () => {
    await done(['queue', 'create', 'orders']);
    await done(['send', 'orders', 'a', 'b']);
    for (const what of ['purge', 'delete']) {
      const refused = await capstan(['queue', what, 'orders']);
      expect(refused.code).toBe(2);
      expect(refused.err).toMatch(/2 messages.*--yes/);
    }
    expect((await done(['queue', 'purge', 'orders', '--yes'])).out).toMatch(/2 messages removed/);
    expect((await done(['queue', 'show', 'orders'])).out).toMatch(/^visible +0$/m);
    await done(['queue', 'delete', 'orders', '--yes']);
    expect(door.service.findQueue('orders')).toBeUndefined();
  });

  it('refuses what makes no sense, naming the option', async () => {
    const refusals: [string[], RegExp][] = [
      [['--visibility', 'soon'], /--visibility.*no time/],
      [['--max-bytes', '10'], /--max-bytes.*1024 to 1048576/],
      [['--content-deduplication'], /--content-deduplication.*\.fifo/],
      [['--max-receives', '3'], /--dead-letters/],
      [['--backoff', '1s'], /--backoff.*FIRST,FACTOR,MOST/],
      [['--tag', 'x'], /--tag.*KEY=VALUE/],
    ];
    for (const [options, words] of refusals) {
      const { code, err } = await capstan(['queue', 'create', 'orders', ...options]);
      expect(err).toMatch(words);
      expect(code).toBe(2);
    }
    expect(door.service.findQueue('orders')).toBeUndefined();
  });
});

describe('capstan send', () => {
  beforeEach(() => done(['queue', 'create', 'orders']));

  async function bodies(): Promise<string[]> {
    const messages = await door.service.peek(door.service.findQueue('orders')!, 1000);
    return messages.map((message) => message.text());
  }

  it('sends each argument', async () => {
    const { out } = await done(['send', 'orders', 'hello', 'and again']);
    expect(out).toBe('2 messages sent to orders.\n');
    expect(await bodies()).toEqual(['hello', 'and again']);
  });

  it('sends each line of its input, but not empty ones', async () => {
    const { out } = await done(['send', 'orders'], { input: 'one\ntwo\r\n\nthree' });
    expect(out).toBe('3 messages sent to orders.\n');
    expect((await bodies()).toSorted()).toEqual(['one', 'three', 'two']);
  });

  it('sends a file as it is', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'capstan-cli-'));
    try {
      const file = path.join(directory, 'body');
      writeFileSync(file, 'line 1\nline 2\n');
      await done(['send', 'orders', '--file', file]);
      expect(await bodies()).toEqual(['line 1\nline 2\n']);
      writeFileSync(file, '');
      const refused = await capstan(['send', 'orders', '--file', file]);
      expect(refused.err).toMatch(/has 0 bytes/);
      expect((await capstan(['send', 'orders', '--file', `${file}.no`])).err).toMatch(/cannot be/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('ends when it cannot go on, also while its input does', async () => {
    const input = new PassThrough();
    input.write('a line\n');
    const { code, err } = await capstan(['send', 'no'], { input });
    expect(err).toMatch(/"no".*\(CAPSTAN_QUEUE_DOES_NOT_EXIST\)/);
    expect(code).toBe(4);
    expect(input.destroyed).toBe(true);
  });

  it('sends many lines in batches', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
    const { out } = await done(['send', 'orders'], { input: lines.join('\n') });
    expect(out).toBe('20 000 messages sent to orders.\n');
    expect(door.service.counts(door.service.findQueue('orders')!).visible).toBe(20_000);
  });

  it('gives results to programs', async () => {
    const { json } = await done(['send', 'orders', 'a', 'b', 'c', '--json']);
    expect(json).toHaveLength(3);
    const messages = await door.service.peek(door.service.findQueue('orders')!, 10);
    expect(json).toEqual(
      messages.map(({ messageId, sequenceNumber }) => ({ messageId, sequenceNumber })),
    );
  });

  it('sets what is said of the messages', async () => {
    await done(['send', 'orders', 'a', '--group', 'g', '--attribute', 'kind=test', 'n=1']);
    const { json } = await done(['peek', 'orders', '--json']);
    expect(json).toMatchObject([
      {
        body: 'a',
        groupId: 'g',
        attributes: { kind: { type: 'String', value: 'test' }, n: { value: '1' } },
      },
    ]);
  });

  it('tells which messages were not accepted, and exits with 1', async () => {
    await done(['queue', 'create', 'small', '--max-bytes', '1024']);
    const { code, out, err } = await capstan(['send', 'small'], {
      input: `a\n${'b'.repeat(2000)}\nc\n`,
    });
    expect(out).toBe('2 messages sent to small.\n');
    expect(err).toMatch(/1 of 3.*\n +message 2: CAPSTAN_MESSAGE_TOO_LARGE/);
    expect(code).toBe(1);
  });

  it('shows progress to a person', async () => {
    const { err } = await done(['send', 'orders', 'a'], { columns: 80 });
    expect(err).toMatch(/1 sent/);
  });
});

describe('capstan receive', () => {
  beforeEach(async () => {
    await done(['queue', 'create', 'orders']);
    await done(['send', 'orders', 'a', 'b', 'c']);
  });

  function counts() {
    return door.service.counts(door.service.findQueue('orders')!);
  }

  it('writes bodies, and leaves messages in flight', async () => {
    const { out } = await done(['receive', 'orders', '--max', '2']);
    expect(out).toBe('a\nb\n');
    expect(counts()).toMatchObject({ visible: 1, inFlight: 2 });
  });

  it('deletes them where that is asked for', async () => {
    const { out } = await done(['receive', 'orders', '--max', '10', '--delete']);
    expect(out).toBe('a\nb\nc\n');
    expect(counts()).toMatchObject({ visible: 0, inFlight: 0 });
  });

  it('gives receipt handles to programs, by which capstan delete deletes', async () => {
    const { json } = await done(['receive', 'orders', '--max', '3', '--json']);
    expect(json.map(({ body }) => body)).toEqual(['a', 'b', 'c']);
    const handles = json.map(({ receiptHandle }) => String(receiptHandle));
    expect((await done(['delete', 'orders', ...handles])).out).toBe('3 messages deleted.\n');
    expect(counts()).toMatchObject({ visible: 0, inFlight: 0 });
    const refused = await capstan(['delete', 'orders', 'nonsense']);
    expect(refused).toMatchObject({ code: 4, err: expect.stringMatching(/RECEIPT_HANDLE/) });
  });

  it('writes nothing when there is nothing', async () => {
    await done(['queue', 'create', 'empty']);
    expect((await done(['receive', 'empty', '--wait', '0'])).out).toBe('');
  });

  it('can be preceded by a look, which takes nothing', async () => {
    const { out } = await done(['peek', 'orders', '--max', '2']);
    expect(out).toMatch(/^ *AGE {2}RECEIVES {2}GROUP +SIZE {2}BODY\n.* a\n.* b\n$/);
    expect(counts()).toMatchObject({ visible: 3 });
  });

  it('writes bodies that are no text in base64, for programs', async () => {
    await done(['queue', 'create', 'bytes']);
    await door.service.send(door.service.findQueue('bytes')!, [
      { body: Uint8Array.from([0xff, 0]) },
    ]);
    const { json } = await done(['receive', 'bytes', '--json']);
    expect(json).toMatchObject([{ bodyBase64: '/wA=' }]);
  });
});

describe('capstan consume', () => {
  beforeEach(() => done(['queue', 'create', 'orders']));

  function counts() {
    return door.service.counts(door.service.findQueue('orders')!);
  }

  it('runs the command for each message, and deletes those that it succeeds on', async () => {
    await done(['send', 'orders', 'a', 'bad', 'c']);
    const exec = 'read body; echo "$CAPSTAN_QUEUE $body"; [ "$body" != bad ]';
    const { out, err } = await done([
      ...['consume', 'orders', '--exec', exec, '--max', '3', '--retry-delay', '1m'],
    ]);
    expect(out).toBe('orders a\norders bad\norders c\n');
    expect(err).toMatch(/message \S+, receive 1: exit code 1; it will come back\n/);
    expect(err).toMatch(/2 handled, 1 failed/);
    const { visible, inFlight, delayed } = counts();
    expect(visible + inFlight + delayed).toBe(1);
  });

  it('ends when nothing has come for a while', async () => {
    await done(['send', 'orders', 'a']);
    const { out } = await done(['consume', 'orders', '--exec', 'cat', '--idle', '100ms']);
    expect(out).toBe('a');
  });

  it('runs several commands at once, where that is asked for', async () => {
    await done(['send', 'orders', ...Array.from({ length: 12 }, (_, i) => `${i}`)]);
    const warnings = vi.spyOn(process, 'emitWarning');
    const directory = mkdtempSync(path.join(tmpdir(), 'capstan-cli-'));
    try {
      // Each waits until all of them run.
      const exec = `touch ${directory}/$CAPSTAN_MESSAGE_ID
        until [ $(ls ${directory} | wc -l) -eq 12 ]; do sleep 0.01; done`;
      const { err } = await done([
        ...['consume', 'orders', '--exec', exec, '--concurrency', '12', '--max', '12'],
      ]);
      expect(err).toMatch(/12 handled/);
      expect(warnings).not.toHaveBeenCalled();
    } finally {
      warnings.mockRestore();
      rmSync(directory, { recursive: true });
    }
  });

  it('interrupted, lets the command that runs finish', async () => {
    await done(['send', 'orders', 'a', 'b']);
    const exec = 'echo begun; sleep 0.3; echo finished';
    const command = new RunningCommand(addressed(['consume', 'orders', '--exec', exec]));
    await vi.waitFor(() => expect(command.out).toMatch(/begun/), 10_000);
    command.interrupt();
    const { out, code } = await command.ended;
    expect(out).toBe('begun\nfinished\n');
    expect(code).toBe(0);
    expect(counts()).toMatchObject({ visible: 1, inFlight: 0 });
  });

  it('interrupted twice, ends the command, whose message comes back', async () => {
    await done(['send', 'orders', 'a']);
    const command = new RunningCommand(
      addressed(['consume', 'orders', '--exec', 'echo begun; sleep 60', '--retry-delay', '0']),
    );
    await vi.waitFor(() => expect(command.out).toMatch(/begun/), 10_000);
    command.interrupt();
    command.interrupt();
    const { err } = await command.ended;
    expect(err).toMatch(/ended by SIGTERM/);
    expect(counts()).toMatchObject({ visible: 1, inFlight: 0 });
  });

  it('does not mind a command that leaves its input unread', async () => {
    await done(['send', 'orders', 'x'.repeat(500_000)]);
    const { err } = await done(['consume', 'orders', '--exec', 'true', '--max', '1']);
    expect(err).toMatch(/1 handled/);
  });
});

describe('capstan redrive', () => {
  beforeEach(() => done(['queue', 'create', 'dead']));

  function end(status: 'COMPLETED' | 'FAILED', failureReason?: string): void {
    const { tasks } = door.service;
    tasks[0] = { ...tasks[0]!, status, moved: 7, failureReason };
  }

  it('goes on until all is moved', async () => {
    const command = new RunningCommand(addressed(['redrive', 'dead', '--rate', '5']), {
      columns: 100,
    });
    await vi.waitFor(() => expect(command.err).toMatch(/3 of 7 moved/), 10_000);
    expect(door.service.tasks[0]).toMatchObject({ messagesPerSecondMax: 5 });
    end('COMPLETED');
    const { out, code } = await command.ended;
    expect(out).toBe('7 of 7 moved; the redrive of dead is done.\n');
    expect(code).toBe(0);
  });

  it('that fails says what can be done, and exits with 1', async () => {
    const command = new RunningCommand(addressed(['redrive', 'dead']));
    await vi.waitFor(() => expect(door.service.tasks).toHaveLength(1), 10_000);
    end('FAILED', 'CouldNotDetermineMessageSource');
    const { code, err } = await command.ended;
    expect(err).toMatch(/name a queue with --to/);
    expect(code).toBe(1);
  });

  it('interrupted, leaves the server at it', async () => {
    const command = new RunningCommand(addressed(['redrive', 'dead', '--to', 'dead2']));
    await vi.waitFor(() => expect(door.service.tasks).toHaveLength(1), 10_000);
    command.interrupt();
    const { out, code } = await command.ended;
    expect(out).toMatch(/^3 of 7 moved; the redrive of dead goes on by itself/);
    expect(code).toBe(0);
  });

  it('can be started, listed and cancelled without waiting for its end', async () => {
    expect((await done(['redrive', 'dead', '--detach'])).out).toMatch(/goes on by itself/);
    expect((await done(['redrive', 'dead', '--list'])).out).toMatch(/their sources +running +3 +7/);
    expect((await done(['redrive', 'dead', '--cancel'])).out).toMatch(/was cancelled/);
    const again = await capstan(['redrive', 'dead', '--cancel']);
    expect(again).toMatchObject({ code: 4, err: expect.stringMatching(/No redrive of dead/) });
    const { json } = await done(['redrive', 'dead', '--list', '--json']);
    expect(json).toMatchObject([{ source: 'dead', status: 'CANCELLED', moved: 3 }]);
  });
});

describe('capstan top', () => {
  it('shows the deepest queue first', async () => {
    await done(['queue', 'create', 'empty']);
    await done(['queue', 'create', 'full']);
    await done(['send', 'full', 'a', 'b']);
    const { out } = await done(['top', '--once', '--interval', '100ms']);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/2 queues {2}2 messages/);
    expect(lines[1]).toMatch(/^\d+ sent\/s {2}\d+ received\/s {2}\d+ deleted\/s$/);
    expect(lines[2]).toMatch(/^QUEUE +VISIBLE +IN FLIGHT +DELAYED +CHANGE\/s +OLDEST$/);
    expect(lines[3]).toMatch(/^full +2 +0 +0 +0 +\S+/);
    expect(lines[4]).toMatch(/^empty +0 +0 +0 +0 +-$/);
  });

  it('draws on the other screen of a terminal, and gives the first one back', async () => {
    await done(['queue', 'create', 'orders']);
    const command = new RunningCommand(addressed(['top']), { columns: 80 });
    await vi.waitFor(() => expect(command.out).toMatch(/orders/), 10_000);
    command.interrupt();
    const { out, code } = await command.ended;
    expect(out.startsWith('\u001b[?1049h')).toBe(true);
    expect(out.endsWith('\u001b[?1049l')).toBe(true);
    expect(code).toBe(0);
  });
});

describe('the exit code', () => {
  it('is 3 where no server is, and says how to start one', async () => {
    const port = await freePort();
    const { code, err } = await capstan(['queue', 'ls', '--url', `ws://127.0.0.1:${port}`]);
    expect(err).toMatch(/No server at .*capstan serve/);
    expect(code).toBe(3);
  });

  it('is 4 for a queue that does not exist', async () => {
    for (const args of [
      ['queue', 'show', 'no'],
      ['send', 'no', 'a'],
      ['receive', 'no'],
      ['peek', 'no'],
      ['queue', 'purge', 'no', '--yes'],
      ['consume', 'no', '--exec', 'true'],
    ]) {
      const { code, err } = await capstan(args);
      expect(err, args.join(' ')).toMatch(/^capstan: .*"no".*\(CAPSTAN_/);
      expect(code, args.join(' ')).toBe(4);
    }
  });

  it('is 2 for a command line that is wrong', async () => {
    for (const args of [['nonsense'], ['send'], ['consume', 'x'], ['queue', 'ls', '--bogus']]) {
      expect((await capstan(args)).code, args.join(' ')).toBe(2);
    }
  });

  it('is 0 for help, which shows a first session', async () => {
    const { code, out } = await capstan(['--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/capstan queue create orders/);
    expect(out).toMatch(/Exit codes:/);
  });
});
