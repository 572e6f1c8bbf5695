import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../../../src/door/rest/operations.ts';
import { Routes } from '../../../../src/door/rest/routes.ts';

const routes = new Routes(OPERATIONS);

function found(
  method: string,
  path: string,
): readonly [string, Record<string, string>] | undefined {
  const route = routes.find(method, path);
  return route === undefined ? undefined : [route.operation.id, { ...route.path }];
}

describe('a path', () => {
  it.each([
    ['GET', '/v1/queues', 'listQueues', {}],
    ['PUT', '/v1/queues/orders', 'createQueue', { queue: 'orders' }],
    ['POST', '/v1/queues/orders/messages', 'sendMessage', { queue: 'orders' }],
    ['POST', '/v1/queues/orders/messages/batch', 'sendBatch', { queue: 'orders' }],
    ['DELETE', '/v1/queues/a.fifo/redrive', 'cancelRedrive', { queue: 'a.fifo' }],
    ['DELETE', '/v1/queues/q/messages/a', 'deleteMessage', { queue: 'q', receiptHandle: 'a' }],
    // A receipt handle may look like anything, also like another operation's path.
    [
      'DELETE',
      '/v1/queues/q/messages/batch',
      'deleteMessage',
      { queue: 'q', receiptHandle: 'batch' },
    ],
  ] as const)('%s %s means %s', (method, path, id, variables) => {
    expect(found(method, path)).toEqual([id, variables]);
  });

  it('is percent-decoded after it was taken apart', () => {
    expect(found('GET', '/v1/queues/a%2Fb%20c')).toEqual(['showQueue', { queue: 'a/b c' }]);
  });

  it('that is not percent-encoded UTF-8 is refused by name', () => {
    expect(() => routes.find('GET', '/v1/queues/%ff')).toThrow('"%ff"');
    expect(() => routes.find('GET', '/v1/queues/%')).toThrow('"%"');
  });

  it.each(['/v1/queues/', '/v1/queues//messages', '/v1/queue', '/v1', '/v1/queues/a/messages/b/c'])(
    '%s means nothing',
    (path) => {
      expect(found('GET', path)).toBeUndefined();
      expect(routes.methodsOf(path)).toEqual([]);
    },
  );

  it('knows the methods it takes', () => {
    expect(routes.methodsOf('/v1/queues/q').toSorted()).toEqual(['DELETE', 'GET', 'PATCH', 'PUT']);
    expect(found('POST', '/v1/queues/q')).toBeUndefined();
  });
});
