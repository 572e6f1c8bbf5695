/* The same request over and over through autocannon: sends to a queue. Sequence numbers are written
 * into the request's bytes in place. Afterwards, off the clock, what was sent is received, deleted
 * and counted. */

import type { DriverOptions } from '../drivers/driver.ts';
import { openDriver } from '../drivers/drivers.ts';
import { SEQUENCE_MARK } from '../drivers/http-lanes.ts';
import { sqsHeaders, sqsSend } from '../drivers/sqs-json.ts';
import { fillerText } from '../harness/bodies.ts';
import { RequestTemplate } from '../harness/http-connection.ts';
import type { Load } from '../harness/load-contract.ts';
import { shoot } from './autocannon-shots.ts';
import { type DrainParameters, Lanes } from './lanes.ts';

export interface AutocannonPostParameters {
  readonly options: DriverOptions;
  readonly connections: number;
  readonly warmupRequests: number;
  readonly requests: number;
  readonly drain: DrainParameters;
}

/** What autocannon's clients have beyond their typed interface. */
interface RequestingClient {
  on(event: 'request', listener: () => void): unknown;
  getRequestBuffer(): Buffer;
}

/** Counts the requests and numbers their messages. */
class Shooter {
  sequence = 0;
  readonly #parameters: AutocannonPostParameters;

  constructor(parameters: AutocannonPostParameters) {
    this.#parameters = parameters;
  }

  shoot(amount: number, onLast?: () => void): Promise<void> {
    const { options, connections } = this.#parameters;
    const body = SEQUENCE_MARK + fillerText(options.bodyBytes);
    const { action, input } = sqsSend(options, Array(options.batch).fill(body), 0);
    return shoot({
      url: options.url,
      method: 'POST',
      headers: sqsHeaders(action),
      body: JSON.stringify(input),
      connections,
      amount,
      onClient: (client) => this.#number(client as unknown as RequestingClient),
      onLast,
    });
  }

  #number(client: RequestingClient): void {
    let template: RequestTemplate | undefined;
    client.on('request', () => {
      // The buffer exists by the first request, and is this client's own.
      template ??= new RequestTemplate(client.getRequestBuffer(), SEQUENCE_MARK);
      template.numbered(this.sequence);
      this.sequence += this.#parameters.options.batch;
    });
  }
}

export const load: Load<AutocannonPostParameters> = async (parameters, context) => {
  const { options, requests } = parameters;
  const driver = await openDriver('sqs-json', options);
  const shooter = new Shooter(parameters);
  await shooter.shoot(parameters.warmupRequests);
  await context.begin();
  await shooter.shoot(requests, () => context.end());
  const messages = requests * options.batch;
  const lanes = Lanes.forWhatIsThere(driver, options.batch);
  lanes.takeUp(shooter.sequence);
  await lanes.drainBy(parameters.drain);
  await driver.close();
  return { messages, ledger: lanes.ledger.snapshot() };
};
