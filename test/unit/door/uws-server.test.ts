import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerError, ERRORS } from '../../../src/base/errors.ts';
import type { Logger } from '../../../src/base/logger.ts';
import type { HttpAnswer, HttpHandler, HttpProtocol, HttpRequest } from '../../../src/door/http.ts';
import { UwsServer } from '../../../src/door/uws-server.ts';
import { RawConnection, rawFetch, rawRequest } from '../../support/raw-http.ts';

const BODY_BYTES_MAX = 1024 * 1024;

const logged: string[] = [];
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (_fields, message) => logged.push(message),
  error: (_fields, message) => logged.push(message),
};

function text(body: string, status = 200): HttpAnswer {
  return { status, contentType: 'text/plain', body };
}

/** Says what arrived. */
function echo(request: HttpRequest): HttpAnswer {
  const { method, path, query, host, contentType, target, body } = request;
  return text(
    JSON.stringify({ method, path, query, host, contentType, target, body: body.toString() }),
  );
}

let handle: HttpHandler = echo;
const protocol: HttpProtocol = {
  handle: (request) => handle(request),
  refuse: (_request, error) => text(error.code, ERRORS[error.code].status),
};

let server: UwsServer;
let port: number;

beforeEach(async () => {
  handle = echo;
  logged.length = 0;
  server = new UwsServer({ protocolOf: () => protocol, logger, bodyBytesMax: BODY_BYTES_MAX });
  port = await server.listen('127.0.0.1', 0);
});

afterEach(async () => {
  await server.close(0);
});

async function expectServing(): Promise<void> {
  handle = echo;
  expect((await rawFetch(port, 'GET', '/next')).status).toBe(200);
  expect(server.inFlight).toBe(0);
  expect(server.heldBytes).toBe(0);
}

/** Resolves once `holds` does; the test's own timeout is the bound. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a request', () => {
  it('reaches the handler whole', async () => {
    const answer = await rawFetch(port, 'POST', '/a%20b?c=d&e', 'hello', ['Content-Type: text/x']);
    expect(JSON.parse(answer.body)).toEqual({
      method: 'POST',
      path: '/a%20b',
      query: 'c=d&e',
      host: 'capstan.test',
      contentType: 'text/x',
      target: '',
      body: 'hello',
    });
    expect(answer.headers.get('content-type')).toBe('text/plain');
    expect(answer.headers.has('uwebsockets')).toBe(false);
  });

  it('with a target is read no further than such a request needs', async () => {
    const headers = ['Content-Type: text/x', 'X-Amz-Target: AmazonSQS.SendMessage'];
    const answer = await rawFetch(port, 'POST', '/a%20b?c=d&e', 'hello', headers);
    expect(JSON.parse(answer.body)).toEqual({
      method: 'POST',
      path: '/a%20b',
      query: '',
      host: 'capstan.test',
      contentType: '',
      target: 'AmazonSQS.SendMessage',
      body: 'hello',
    });
  });

  it('can be answered after its handler has returned, with bytes that are lent', async () => {
    const lent = Buffer.from('lent');
    handle = (request) => {
      setImmediate(() => {
        request.respond({ status: 200, contentType: 'text/plain', body: lent });
        lent.fill('x');
      });
      return undefined;
    };
    for (const method of ['POST', 'GET', 'HEAD']) {
      lent.write('lent');
      const answer = await rawFetch(port, method, '/', '');
      expect(answer.headers.get('content-length')).toBe('4');
      if (method !== 'HEAD') expect(answer.body).toBe('lent');
    }
  });

  it('calls off what is pending when its client goes away, and only then', async () => {
    let cancelled = 0;
    const gone = new Promise<void>((resolve) => {
      handle = (request) => {
        const answer = text('late');
        request.onGone({
          cancel: () => {
            cancelled++;
            request.respond(answer);
            resolve();
          },
        });
        return undefined;
      };
    });
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('GET', '/'));
    connection.close();
    await gone;
    handle = (request) => {
      request.onGone({ cancel: () => cancelled++ });
      return text('');
    };
    await rawFetch(port, 'GET', '/');
    expect(cancelled).toBe(1);
    await expectServing();
    expect(server.inFlight).toBe(0);
  });

  it('has all its headers unless it has a target', async () => {
    handle = (request) => text(`${request.header('x-one')},${request.header('x-none')}`);
    expect((await rawFetch(port, 'GET', '/', '', ['X-One: 1'])).body).toBe('1,');
  });

  it.each([0, 1, 4095, 4096, 4097, 65_536, 200_000, BODY_BYTES_MAX])(
    'with a body of %d bytes arrives byte for byte',
    async (length) => {
      const body = Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 23))).join('');
      let got = '';
      handle = (request) => {
        got = request.body.toString();
        return text('');
      };
      await rawFetch(port, 'POST', '/', body);
      expect(got === body).toBe(true);
      await expectServing();
    },
  );

  it('keeps its body until an answer that comes later', async () => {
    handle = async (request) => {
      await rawFetchOther();
      return text(request.body.toString());
    };
    const rawFetchOther = async () => {
      const first = handle;
      handle = echo;
      await rawFetch(port, 'POST', '/', 'other');
      handle = first;
    };
    expect((await rawFetch(port, 'POST', '/', 'mine')).body).toBe('mine');
  });

  it('in chunks is put together', async () => {
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('POST', '/', '', ['Transfer-Encoding: chunked']));
    await connection.send('3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n');
    expect(JSON.parse((await connection.answer())!.body)).toMatchObject({ body: 'abcdefg' });
    connection.close();
  });

  it('that expects a 100 is told to go on', async () => {
    const connection = await RawConnection.open(port);
    await connection.send(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n',
    );
    expect(await connection.answer()).toMatchObject({ status: 100 });
    await connection.send('ok');
    expect(await connection.answer()).toMatchObject({ status: 200 });
    connection.close();
  });

  it('with HEAD is answered with the length and without the body', async () => {
    handle = () => text('12345');
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('HEAD', '/'));
    const answer = await connection.answer(true);
    expect(answer?.headers.get('content-length')).toBe('5');
    await connection.send(rawRequest('GET', '/'));
    expect((await connection.answer())?.body).toBe('12345');
    connection.close();
  });

  it('answered with 204 has neither body nor length', async () => {
    handle = () => ({ status: 204, contentType: '', body: '' });
    const answer = await rawFetch(port, 'DELETE', '/x');
    expect(answer.status).toBe(204);
    expect(answer.headers.has('content-length')).toBe(false);
    expect(answer.headers.has('content-type')).toBe(false);
  });

  it('with any method and path finds the handler', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'POST']) {
      const answer = await rawFetch(port, method, '/some/where');
      expect(JSON.parse(answer.body)).toMatchObject({ method, path: '/some/where' });
    }
  });
});

describe('a handler that fails', () => {
  it.each([
    ['throws', () => thrower(new TypeError('secret'))],
    ['rejects', () => Promise.reject(new TypeError('secret'))],
  ] as const)('%s: answers 500 for this request only, and logs why', async (_name, failing) => {
    handle = failing;
    const answer = await rawFetch(port, 'POST', '/', 'x');
    expect(answer).toMatchObject({ status: 500, body: 'CAPSTAN_INTERNAL' });
    expect(logged).toEqual(['a request failed in its handler']);
    await expectServing();
  });

  it('with an operating error is answered in those words', async () => {
    handle = () => thrower(new BrokerError('CAPSTAN_DISK_FULL', 'The disk is full.'));
    expect(await rawFetch(port, 'POST', '/', 'x')).toMatchObject({
      status: 503,
      body: 'CAPSTAN_DISK_FULL',
    });
    expect(logged).toEqual([]);
  });

  it('in its refusal loses the connection and nothing else', async () => {
    handle = () => thrower(new BrokerError('CAPSTAN_DISK_FULL', 'The disk is full.'));
    const { refuse } = protocol;
    Object.assign(protocol, { refuse: () => thrower(new TypeError('refusal')) });
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('GET', '/'));
    expect(await connection.answer()).toBeUndefined();
    Object.assign(protocol, { refuse });
    await expectServing();
  });

  it('with an answer that is none loses the connection and nothing else', async () => {
    handle = () => ({}) as unknown as HttpAnswer;
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('GET', '/'));
    expect(await connection.answer()).toBeUndefined();
    await expectServing();
  });
});

function thrower(error: Error): never {
  throw error;
}

describe('a body over the limit', () => {
  it('is refused by its declared length, before any of it came', async () => {
    const connection = await RawConnection.open(port);
    await connection.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n');
    const answer = await connection.answer();
    expect(answer?.status).toBe(413);
    expect(answer?.body.trimEnd()).toBe('CAPSTAN_BATCH_TOO_LARGE');
    await connection.end();
    await expectServing();
  });

  it('that is not much longer leaves the connection in use', async () => {
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('POST', '/', 'x'.repeat(BODY_BYTES_MAX + 1)));
    expect(await connection.answer()).toMatchObject({ status: 413 });
    await connection.send(rawRequest('POST', '/', 'again'));
    expect(await connection.answer()).toMatchObject({ status: 200 });
    connection.close();
    await expectServing();
  });

  it('in chunks is refused when it gets there', async () => {
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('POST', '/', '', ['Transfer-Encoding: chunked']));
    const chunk = 'x'.repeat(65_536);
    for (let sent = 0; sent <= BODY_BYTES_MAX && !connection.ended; sent += chunk.length) {
      await connection.send(`10000\r\n${chunk}\r\n`);
    }
    expect(await connection.answer()).toMatchObject({ status: 413 });
    await connection.end();
    await expectServing();
  });
});

describe('a client that goes away', () => {
  it('in the middle of its body leaves nothing behind', async () => {
    const connection = await RawConnection.open(port);
    await connection.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n');
    await connection.send('x'.repeat(300_000));
    await until(() => server.heldBytes > 0);
    connection.close();
    await until(() => server.inFlight === 0);
    await expectServing();
  });

  it('while the handler works aborts its signal', async () => {
    let aborted = false;
    let answer!: (answer: HttpAnswer) => void;
    handle = (request) => {
      request.signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('POST', '/', 'x'));
    await until(() => server.inFlight === 1 && answer !== undefined);
    connection.close();
    await until(() => aborted);
    expect(server.inFlight).toBe(1); // The handler still has it.
    answer(text('too late'));
    await until(() => server.inFlight === 0);
    await expectServing();
  });

  it('or asks again before it was answered aborts the first request', async () => {
    let aborted = false;
    handle = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          resolve(text(''));
        });
      });
    const connection = await RawConnection.open(port);
    await connection.send(rawRequest('GET', '/one') + rawRequest('GET', '/two'));
    await connection.end();
    expect(aborted).toBe(true);
    await expectServing();
  });
});

describe('requests one behind the other', () => {
  it('are answered in their order', async () => {
    const connection = await RawConnection.open(port);
    const paths = Array.from({ length: 100 }, (_, i) => `/${i}`);
    await connection.send(paths.map((path) => rawRequest('GET', path)).join(''));
    for (const path of paths) {
      expect(JSON.parse((await connection.answer())!.body)).toMatchObject({ path });
    }
    connection.close();
  });

  it.each(['GET', 'HEAD', 'OPTIONS'])(
    'by %s whose answers nobody reads end the connection',
    async (method) => {
      handle = () => text('x'.repeat(1000));
      const connection = await RawConnection.open(port);
      connection.pause();
      const many = rawRequest(method, '/').repeat(1000);
      for (let sent = 0; sent < 100 && !connection.ended; sent++) {
        await Promise.race([connection.send(many), connection.end()]);
      }
      connection.resume();
      await connection.end();
      await until(() => server.inFlight === 0);
      await expectServing();
    },
  );
});

describe('a large answer', () => {
  const LENGTH = 8 * 1024 * 1024;

  it('arrives whole', async () => {
    const body = 'ä'.repeat(LENGTH / 2);
    handle = () => text(body);
    expect((await rawFetch(port, 'GET', '/')).body === body).toBe(true);
    await expectServing();
  });

  it('is held within bounds while nobody reads it', async () => {
    handle = () => text('x'.repeat(LENGTH));
    const readers = await Promise.all(Array.from({ length: 40 }, () => RawConnection.open(port)));
    for (const reader of readers) {
      reader.pause();
      await reader.send(rawRequest('GET', '/'));
    }
    await until(() => logged.length > 0);
    expect(server.heldBytes).toBeLessThanOrEqual(128 * 1024 * 1024);
    for (const reader of readers) reader.close();
    await until(() => server.inFlight === 0);
    await expectServing();
  });
});

describe('closing', () => {
  it('answers what has begun, and closes idle connections', async () => {
    let answer!: (answer: HttpAnswer) => void;
    const idle = await RawConnection.open(port);
    await idle.send(rawRequest('GET', '/'));
    await idle.answer();
    handle = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const busy = await RawConnection.open(port);
    await busy.send(rawRequest('GET', '/'));
    await until(() => answer !== undefined);
    const closed = server.close(60_000);
    await expect(RawConnection.open(port)).rejects.toThrow('ECONNREFUSED');
    answer(text('done'));
    const answered = await busy.answer();
    expect(answered?.body).toBe('done');
    expect(answered?.headers.get('connection')).toBe('close');
    await Promise.all([closed, busy.end(), idle.end()]);
  });

  it('ends what does not finish in time', async () => {
    let aborted = false;
    handle = ({ signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => undefined);
    };
    const busy = await RawConnection.open(port);
    await busy.send(rawRequest('GET', '/'));
    await until(() => server.inFlight === 1);
    await server.close(20);
    await busy.end();
    expect(aborted).toBe(true);
  });
});
