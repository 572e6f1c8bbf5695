/* The full cycle over SQS through autocannon: every connection sends a batch, receives one, and
 * deletes what it received. What is left at the end is received, deleted and counted off the clock,
 * over plain connections. */

import type autocannon from 'autocannon';
import type { DriverOptions } from '../drivers/driver.ts';
import { openDriver } from '../drivers/drivers.ts';
import { SEQUENCE_MARK } from '../drivers/http-lanes.ts';
import {
  parseReceived,
  type ReceivedBatch,
  type SqsRequest,
  sqsDelete,
  sqsHeaders,
  sqsReceive,
  sqsSend,
} from '../drivers/sqs-json.ts';
import { fillerText } from '../harness/bodies.ts';
import { RequestTemplate } from '../harness/http-connection.ts';
import type { Ledger } from '../harness/ledger.ts';
import type { Load } from '../harness/load-contract.ts';
import { shoot } from './autocannon-shots.ts';
import { Lanes } from './lanes.ts';

export interface AutocannonCycleParameters {
  readonly options: DriverOptions;
  readonly connections: number;
  readonly warmupRequests: number;
  readonly requests: number;
}

/** Of one connection's round; autocannon empties it when the round begins anew. */
type RoundContext = { held?: ReceivedBatch };

class Cycler {
  sequence = 0;
  readonly #options: DriverOptions;
  readonly #ledger: Ledger;
  readonly #template: RequestTemplate;
  /** Received, and not known to be deleted. */
  readonly held = new Set<ReceivedBatch>();

  constructor(options: DriverOptions, ledger: Ledger) {
    this.#options = options;
    this.#ledger = ledger;
    const body = SEQUENCE_MARK + fillerText(options.bodyBytes);
    const { input } = sqsSend(options, Array(options.batch).fill(body), 0);
    this.#template = new RequestTemplate(Buffer.from(JSON.stringify(input)), SEQUENCE_MARK);
  }

  requests(): autocannon.Request[] {
    const options = this.#options;
    const receive = this.#request(sqsReceive(options, options.batch));
    return [
      {
        method: 'POST',
        headers: sqsHeaders('SendMessageBatch'),
        setupRequest: (request) => {
          const body = this.#template.numbered(this.sequence);
          this.sequence += options.batch;
          return { ...request, body }; // Copied into the request at once.
        },
      },
      {
        ...receive,
        onResponse: (_, body, context) => {
          const held = parseReceived(body);
          (context as RoundContext).held = held;
          this.#ledger.received.addAll(held.sequences);
          this.held.add(held);
        },
      },
      {
        method: 'POST',
        headers: sqsHeaders('DeleteMessageBatch'),
        setupRequest: (request, context) => {
          const { held } = context as RoundContext;
          const nothing = held === undefined || held.receipts.length === 0;
          // Nothing to delete: autocannon takes a request that is none as the end of the round.
          if (nothing) return undefined as unknown as autocannon.Request;
          return { ...request, body: JSON.stringify(sqsDelete(options, held.receipts).input) };
        },
        onResponse: (status, body, context) => {
          const { held } = context as RoundContext;
          if (held === undefined || status !== 200 || body.includes('"Failed":[{')) return;
          this.#ledger.deleted.addAll(held.sequences);
          this.held.delete(held);
        },
      },
    ];
  }

  #request({ action, input }: SqsRequest): autocannon.Request {
    return { method: 'POST', headers: sqsHeaders(action), body: JSON.stringify(input) };
  }

  shoot(connections: number, amount: number, onLast?: () => void): Promise<void> {
    const { url } = this.#options;
    return shoot({ url, connections, amount, requests: this.requests(), onLast });
  }
}

export const load: Load<AutocannonCycleParameters> = async (parameters, context) => {
  const { options, connections } = parameters;
  const driver = await openDriver('sqs-json', options);
  const lanes = Lanes.forWhatIsThere(driver, options.batch);
  const { ledger } = lanes;
  const cycler = new Cycler(options, ledger);
  await cycler.shoot(connections, parameters.warmupRequests);
  await context.begin();
  const before = ledger.deleted.count;
  await cycler.shoot(connections, parameters.requests, () => context.end());
  const messages = ledger.deleted.count - before;
  lanes.takeUp(cycler.sequence);
  const rest = await driver.receiver();
  for (const { sequences, receipts } of cycler.held) {
    if (receipts.length > 0) await rest.delete(receipts);
    ledger.deleted.addAll(sequences);
  }
  await lanes.startReceivers();
  await lanes.drain();
  await driver.close();
  return { messages, ledger: ledger.snapshot() };
};
