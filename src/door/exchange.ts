/* One request and its answer on a door's thread. Exchanges are used again and again, with the
 * callbacks that the server wants made once: a request allocates no closure and no buffer.
 *
 * Invariants: the server's response is touched only between the request and either its abort or its
 * end; an exchange goes back to its pool when both the handler and the server are done with it; no
 * exception leaves a callback, because it would end the thread. */

import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse } from 'uWebSockets.js';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { Cancellable, HttpAnswer, HttpProtocol, HttpRequest } from './http.ts';
import { RequestBody } from './request-body.ts';
import { isBodyless, statusLine } from './status-lines.ts';

/** The rest of a refused body of up to this length is read and thrown away, so that the client
 *  gets to read its answer; with a longer one the connection is closed. */
const DISCARDED_BYTES_MAX = 32 * 1024 * 1024;

/** The server's parser gives up on a longer declared length when our callback returns, and throws
 *  away what is corked then. White space up to more than it corks, at the end of an error's JSON or
 *  XML, makes it write the answer before that. */
const PARSER_BYTES_MAX = 999_999_999;
const FLUSHED_CHARS = 32 * 1024;

/** What all exchanges of a server share. */
export interface ExchangeContext {
  readonly bodyBytesMax: number;
  readonly requestBudget: ByteBudget;
  readonly answerBudget: ByteBudget;
  readonly logger: Logger;
  protocolOf(request: HttpRequest): HttpProtocol;
  /** True: every answer is the last one of its connection. */
  isClosing(): boolean;
  /** The exchange can be used again. */
  onDone(exchange: Exchange): void;
}

export class Exchange implements HttpRequest {
  method = '';
  path = '';
  query = '';
  host = '';
  contentType = '';
  target = '';
  body: Buffer;
  readonly #context: ExchangeContext;
  readonly #collected: RequestBody;
  readonly #nothing: Buffer;
  #headers: Map<string, string> | undefined;
  /** Undefined: there is nothing more to say to the client. */
  #response: UwsResponse | undefined;
  #protocol: HttpProtocol | undefined;
  /** As the client declared it; 0 if it did not. */
  #expectedBytes = 0;
  /** The handler was called, and has not answered yet. */
  #handling = false;
  #abort: AbortController | undefined;
  #pending: Cancellable | undefined;
  #answer: HttpAnswer | undefined;
  /** Of an answer that is being written as the client reads it. */
  #unsent: Uint8Array | undefined;
  #closeAfter = false;

  constructor(context: ExchangeContext) {
    this.#context = context;
    this.#collected = new RequestBody(context.requestBudget);
    this.#nothing = this.#collected.bytes();
    this.body = this.#nothing;
  }

  header(name: string): string {
    return this.#headers?.get(name) ?? '';
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  onGone(pending: Cancellable): void {
    this.#pending = pending;
  }

  /** Takes up a request. Everything that is needed of `request` is read here: it is gone when the
   *  server's callback returns. */
  begin(response: UwsResponse, request: UwsRequest, method: string): void {
    this.#response = response;
    response.onAborted(this.#onAborted);
    this.method = method;
    // A handler may have named one when its answer had been given already.
    this.#pending = undefined;
    this.path = request.getUrl();
    this.host = request.getHeader('host');
    this.target = request.getHeader('x-amz-target');
    if (this.target !== '') {
      this.query = '';
      this.contentType = '';
    } else if (this.#keepHeaders(request)) {
      this.query = request.getQuery() ?? '';
      this.contentType = request.getHeader('content-type');
    } else {
      // Without an answer: after one, the server would go on to what follows on the connection.
      response.close();
      return;
    }
    this.#expectedBytes = Number(request.getHeader('content-length'));
    this.#protocol = this.#context.protocolOf(this);
    if (this.#expectedBytes > this.#context.bodyBytesMax) this.#refuseTooLarge();
    else response.onData(this.#onData);
  }

  /** False: the request has two lengths. The server goes by the first; a proxy before it may have
   *  gone by the other, and taken for a body what we would take for another request. */
  #keepHeaders(request: UwsRequest): boolean {
    const headers = new Map<string, string>();
    let lengths = 0;
    request.forEach((name, value) => {
      headers.set(name, value);
      if (name === 'content-length') lengths++;
    });
    this.#headers = headers;
    return lengths <= 1;
  }

  readonly #onData = (chunk: ArrayBuffer, isLast: boolean): void => {
    // What is left of a body that was refused is of no use.
    if (this.#response === undefined || this.#answer !== undefined) return;
    try {
      if (this.#collected.length + chunk.byteLength > this.#context.bodyBytesMax) {
        this.#refuseTooLarge();
      } else if (!this.#collected.append(chunk, this.#expectedBytes)) {
        const detail = 'The server holds too many requests at the moment.';
        this.#refuse(new BrokerError('CAPSTAN_THROTTLED', detail));
      } else if (isLast) {
        this.body = this.#collected.bytes();
        this.#handle();
      }
    } catch (error) {
      this.#fail(error);
    }
  };

  #handle(): void {
    this.#handling = true;
    const answer = this.#protocol!.handle(this);
    if (answer instanceof Promise) answer.then(this.respond, this.#onFailure);
    else if (answer !== undefined) this.respond(answer);
  }

  readonly respond = (answer: HttpAnswer): void => {
    if (this.method === 'HEAD' || this.method === 'OPTIONS') {
      // An answer without a body cannot be held back as `#send` does it. One that comes later than
      // the request can: the server takes no other request of the connection before it.
      this.#answerNext(answer);
    } else {
      this.#answerNow(answer);
    }
  };

  #answerNext(answer: HttpAnswer): void {
    let kept: HttpAnswer;
    try {
      kept = { ...answer, body: copyOf(answer.body) };
    } catch (error) {
      this.#onFailure(error);
      return;
    }
    setImmediate(() => this.#answerNow(kept));
  }

  #answerNow(answer: HttpAnswer): void {
    this.#handling = false;
    this.#respond(answer);
  }

  readonly #onFailure = (error: unknown): void => {
    this.#handling = false;
    this.#fail(error);
  };

  /** What a handler threw is answered in its protocol's words. */
  #fail(error: unknown): void {
    this.#handling = false;
    if (error instanceof BrokerError) return this.#refuse(error);
    const { method, path, target } = this;
    this.#context.logger.error({ error, method, path, target }, 'a request failed in its handler');
    this.#refuse(new BrokerError('CAPSTAN_INTERNAL', 'The request failed inside the server.'));
  }

  #refuseTooLarge(): void {
    const { bodyBytesMax } = this.#context;
    const detail = `The request body is longer than ${bodyBytesMax} bytes.`;
    this.#refuse(new BrokerError('CAPSTAN_BATCH_TOO_LARGE', detail));
  }

  #refuse(error: BrokerError): void {
    if (this.#response === undefined) return this.#finish();
    const unread = this.#expectedBytes - this.#collected.length;
    // Of a body in chunks nobody knows where it ends.
    if (unread < 0 || unread > DISCARDED_BYTES_MAX) this.#closeAfter = true;
    try {
      this.#respond(this.#protocol!.refuse(this, error));
    } catch (defect) {
      const { method, path, target } = this;
      this.#context.logger.error({ error: defect, method, path, target }, 'a refusal failed');
      this.#response.close();
    }
  }

  #respond(answer: HttpAnswer): void {
    if (this.#response === undefined) return this.#finish();
    this.#answer = answer;
    this.#response.cork(this.#write);
  }

  readonly #write = (): void => {
    try {
      this.#writeAnswer(this.#response!, this.#answer!);
    } catch (error) {
      const { method, path, target } = this;
      this.#context.logger.error({ error, method, path, target }, 'an answer cannot be written');
      this.#response?.close();
    }
  };

  #writeAnswer(response: UwsResponse, answer: HttpAnswer): void {
    const { status, contentType, headers, body } = answer;
    const close = this.#closeAfter || this.#context.isClosing();
    if (status !== 200) response.writeStatus(statusLine(status));
    if (contentType !== '') response.writeHeader('Content-Type', contentType);
    if (headers !== undefined) {
      for (const [name, value] of headers) response.writeHeader(name, value);
    }
    if (this.method === 'HEAD' || isBodyless(status)) {
      if (close) response.writeHeader('Connection', 'close');
      if (!isBodyless(status)) {
        response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
      }
      response.endWithoutBody();
    } else if (this.#expectedBytes > PARSER_BYTES_MAX) {
      response.end(copyOf(body).toString().padEnd(FLUSHED_CHARS), true);
    } else if (close) {
      response.end(body, true);
    } else {
      return this.#send(response, body);
    }
    this.#finish();
  }

  /** Writes what the connection takes; `end` would keep the rest in memory that nobody counts, of
   *  as many answers as a client asks for and does not read. Here a client that does not read is
   *  left with an answer that has not ended, and asking on ends its connection. */
  #send(response: UwsResponse, body: string | Uint8Array): void {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const [, done] = response.tryEnd(body, length);
    if (done) return this.#finish();
    if (!this.#context.answerBudget.take(length)) {
      this.#context.logger.warn({ bytes: length }, 'an answer is dropped: too many are unread');
      response.close();
      return;
    }
    this.#unsent = copyOf(body);
    response.onWritable(this.#onWritable);
  }

  readonly #onWritable = (offset: number): boolean => {
    const response = this.#response;
    const body = this.#unsent;
    if (response === undefined || body === undefined) return true;
    const [taken, done] = response.tryEnd(body.subarray(offset), body.length);
    if (done) this.#finish();
    return taken;
  };

  readonly #onAborted = (): void => {
    const handling = this.#handling;
    this.#response = undefined;
    this.#abort?.abort();
    // This may bring the answer, and with it the end.
    this.#pending?.cancel();
    if (!handling) this.#finish();
  };

  /** Makes the exchange ready for another request. */
  #finish(): void {
    this.#response = undefined;
    if (this.#unsent !== undefined) {
      this.#context.answerBudget.giveBack(this.#unsent.length);
      this.#unsent = undefined;
    }
    this.#collected.clear();
    this.body = this.#nothing;
    this.#headers = undefined;
    this.#protocol = undefined;
    this.#abort = undefined;
    this.#pending = undefined;
    this.#answer = undefined;
    this.#closeAfter = false;
    this.#context.onDone(this);
  }
}

function copyOf(body: string | Uint8Array): Buffer {
  return Buffer.from(body);
}
