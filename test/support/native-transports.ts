/* The two ways to a broker, for one suite over both: embedded in the test's own process, and remote
 * on a server of its own. Needs `npm run build` first. */

import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Broker } from '../../src/client/broker.ts';
import { builtClient, builtPackage } from './built-package.ts';
import { TestServer } from './server.ts';

export interface OpenTransport {
  readonly broker: Broker;
  /** Another one on the same queues; of an embedded broker, the same. */
  another(): Promise<Broker>;
  close(): Promise<void>;
}

export interface NativeTransport {
  readonly name: string;
  open(partitions: number): Promise<OpenTransport>;
}

const EMBEDDED: NativeTransport = {
  name: 'embedded',
  async open(partitions) {
    const data = await mkdtemp(path.join(tmpdir(), 'capstan-test-'));
    const { openBroker } = await builtPackage();
    const broker = await openBroker({ data, partitions, durability: 'none' });
    return {
      broker,
      another: async () => broker,
      async close() {
        await broker.close();
        rmSync(data, { recursive: true, force: true });
      },
    };
  },
};

const REMOTE: NativeTransport = {
  name: 'remote',
  async open(partitions) {
    const args = ['--partitions', String(partitions), '--doors', '1', '--durability', 'none'];
    const server = await TestServer.start({ args });
    const { connect } = await builtClient();
    const address = `ws://127.0.0.1:${server.port}`;
    const brokers: Broker[] = [];
    const another = async () => {
      const broker = await connect(address);
      brokers.push(broker);
      return broker;
    };
    return {
      broker: await another(),
      another,
      async close() {
        await Promise.all(brokers.map((each) => each.close()));
        await server.close();
      },
    };
  },
};

export const NATIVE_TRANSPORTS = [EMBEDDED, REMOTE];
