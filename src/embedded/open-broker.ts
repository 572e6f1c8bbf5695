/* `openBroker`: a broker inside the host's process, without any socket. */

import { parseDurability } from '../base/durability.ts';
import { type Logger, SILENT_LOGGER } from '../base/logger.ts';
import { Broker as Engine } from '../broker/broker.ts';
import { Broker } from '../client/broker.ts';
import { EmbeddedTransport } from './embedded-transport.ts';

export interface OpenOptions {
  /** The data folder; made if it does not exist. One process at a time has it open. */
  readonly data: string;
  /** Undefined: the folder's own; half as many as cores in a new one. A folder that has another
   *  number is laid out anew, which takes time, and voids receipts. */
  readonly partitions?: number | undefined;
  /** What an acknowledgement promises: `fsync` (the default), `interval:<ms>` or `none`. */
  readonly durability?: string | undefined;
  /** By default nothing is logged. */
  readonly logger?: Logger | undefined;
  /** Waits of 60 s after a queue was deleted or purged, as SQS has them. */
  readonly strictWaits?: boolean | undefined;
}

/** Opens the data folder; the broker runs when the promise resolves. Rejects
 *  CAPSTAN_DATA_FOLDER_LOCKED while another process has it, CAPSTAN_FORMAT_UNSUPPORTED if it is of
 *  another version, CAPSTAN_PARTITION_FAILED if a log cannot be recovered. */
export async function openBroker(options: OpenOptions): Promise<Broker> {
  const { data, partitions, durability = 'fsync', logger = SILENT_LOGGER, strictWaits } = options;
  const engine = await Engine.open({
    data,
    partitions,
    durability: parseDurability(durability),
    strictWaits,
    logger,
  });
  return new Broker(new EmbeddedTransport(engine));
}
