/* So many requests through autocannon, all of which must be accepted. */

import autocannon from 'autocannon';

export interface Shots extends autocannon.Options {
  readonly amount: number;
  readonly onClient?: ((client: autocannon.Client) => void) | undefined;
  /** Called with the last answer, which autocannon itself notices late. */
  readonly onLast?: (() => void) | undefined;
}

export async function shoot({ onClient, onLast, ...options }: Shots): Promise<void> {
  const { amount } = options;
  let answered = 0;
  const result = await autocannon({
    ...options,
    setupClient: (client) => {
      onClient?.(client);
      client.on('response', () => {
        answered += 1;
        if (answered === amount) onLast?.();
      });
    },
  });
  if (result.non2xx + result.errors + result.timeouts > 0) {
    throw new Error(`Of ${amount} requests ${result['2xx']} were accepted.`);
  }
}
