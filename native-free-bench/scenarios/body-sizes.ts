/* The same full cycle with bodies from 64 bytes to 1 MiB. */

import { seriesOver } from '../charts/from-rows.ts';
import type { Scenario } from '../harness/bench.ts';
import { FSYNC, remoteCycleReading } from './standard.ts';

const KIB = 1024;
const SIZES = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB] as const;
const CALL_BYTES_MAX = 256 * KIB; // a call's bodies together, or one body
const OPEN_BYTES_MAX = 24 * 1024 * KIB; // in flight at once

export const scenario: Scenario = {
  name: 'body-sizes',
  summary: 'WebSocket full cycle with bodies of 64 B to 1 MiB.',
  run: async (bench) => {
    for (const bodyBytes of bench.values(SIZES, [64, 16 * KIB, 1024 * KIB])) {
      const batch = Math.max(1, Math.min(100, Math.floor(CALL_BYTES_MAX / bodyBytes)));
      const lanes = Math.max(2, Math.min(16, Math.floor(OPEN_BYTES_MAX / (bodyBytes * batch * 4))));
      const settings = { driver: 'websocket', batch, bodyBytes, lanes, connections: 4 } as const;
      const parameters = { bodyBytes, batch, api: 'websocket' };
      const plan = { durability: FSYNC, better: 'more' } as const;
      await bench.measureAll(
        {
          messages: {
            ...plan,
            name: `bodies of ${bodyBytes} B, WebSocket, batches of ${batch}, full cycle`,
            parameters: { ...parameters, figure: 'messages' },
            unit: 'msg/s',
          },
          bytes: {
            ...plan,
            name: `bodies of ${bodyBytes} B, WebSocket, body bytes`,
            parameters: { ...parameters, figure: 'bytes' },
            unit: 'MB/s',
          },
        },
        async () => {
          const messages = await remoteCycleReading(bench, {}, settings);
          return { messages, bytes: { figure: (messages.figure * bodyBytes) / 1e6 } };
        },
      );
    }
  },
  charts: (rows) => [
    {
      kind: 'lines',
      name: 'body-sizes',
      title: 'WebSocket full cycles by size of the body',
      x: { label: 'bytes per body', scale: 'log', ofBytes: true },
      y: { label: 'MB of bodies per second', scale: 'linear' },
      series: seriesOver(
        rows.filter(({ parameters }) => parameters['figure'] === 'bytes'),
        'bodyBytes',
        'api',
      ),
    },
  ],
};
