import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import {
  type CatalogRecord,
  decodeRecord,
  encodeRecord,
} from '../../../src/catalog/catalog-record.ts';
import { deadLetteringTo, queueDefinition } from '../../support/queue-definitions.ts';

const RECORDS: readonly CatalogRecord[] = [
  {
    kind: 'queue',
    body: {
      ...queueDefinition(4_294_967_295, 'a.fifo', { fifo: true, ...deadLetteringTo('b.fifo') }),
      tags: { team: 'größe', empty: '' },
      createdAtMs: 1_700_000_000_123,
    },
  },
  { kind: 'queue-deleted', body: { queueId: 7, name: 'gone', deletedAtMs: 1_700_000_000_123 } },
  {
    kind: 'move-task',
    body: {
      taskId: 't',
      source: 'dead',
      sourceQueueId: 1,
      destination: 'other',
      destinationQueueId: 2,
      messagesPerSecondMax: 500,
      status: 'RUNNING',
      moved: 5,
      toMove: 9,
      startedAtMs: 1_700_000_000_123,
      failureReason: 'none',
    },
  },
  { kind: 'counters', body: { nextQueueId: 12 } },
];

describe("the catalog's records", () => {
  it.each(RECORDS)('of kind $kind are read as they were written', (record) => {
    expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });

  it('leave out what is undefined', () => {
    const body = { ...queueDefinition(1, 'a', { redrivePolicy: undefined }) };
    const read = decodeRecord(encodeRecord({ kind: 'queue', body }));
    expect(Object.keys((read as { body: typeof body }).body.attributes)).not.toContain(
      'redrivePolicy',
    );
  });

  it('of an older version get the defaults of attributes that they lack', () => {
    const { inFlightMax: _, ...attributes } = queueDefinition(1, 'a.fifo', {
      fifo: true,
    }).attributes;
    const body = { ...queueDefinition(1, 'a.fifo'), attributes };
    expect(decodeRecord(encode([1, body]))).toMatchObject({
      body: { attributes: { inFlightMax: 20_000, fifo: true } },
    });
  });

  it.each([
    ['of a later kind', encode([99, {}])],
    ['that are no pair', encode('text')],
    ['without what their kind has', encode([1, { queueId: 1 }])],
    ['that are not msgpack', Uint8Array.of(0xc1)],
  ])('%s refuse to be read', (_, bytes) => {
    expect(() => decodeRecord(bytes)).toThrow(
      expect.objectContaining({ code: 'CAPSTAN_FORMAT_UNSUPPORTED' }),
    );
  });
});
