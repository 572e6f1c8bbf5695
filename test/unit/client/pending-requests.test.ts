import { describe, expect, it } from 'vitest';
import { PendingRequests } from '../../../src/client/pending-requests.ts';
import { ClientRequest } from '../../../src/client/request.ts';

class Asked extends ClientRequest {
  onAnswer(): void {}
  onFailure(): void {}
  expire(): boolean {
    return false;
  }
}

function added(pending: PendingRequests): Asked {
  const request = new Asked();
  request.correlation = pending.next;
  pending.add(request);
  return request;
}

describe('pending requests', () => {
  it('are found by their correlations until they are deleted', () => {
    const pending = new PendingRequests();
    const first = added(pending);
    const second = added(pending);
    expect(pending.size).toBe(2);
    expect(pending.get(first.correlation)).toBe(first);
    pending.delete(first);
    expect(pending.get(first.correlation)).toBeUndefined();
    expect(pending.get(second.correlation)).toBe(second);
    expect(pending.size).toBe(1);
  });

  it('are deleted once, however often that is asked for', () => {
    const pending = new PendingRequests();
    const first = added(pending);
    expect(pending.delete(first)).toBe(true);
    const second = added(pending);
    expect(pending.delete(first)).toBe(false);
    const third = added(pending);
    expect(pending.get(second.correlation)).toBe(second);
    expect(pending.get(third.correlation)).toBe(third);
    expect(pending.size).toBe(2);
  });

  it('are told in the order they were added, whatever slots became free before', () => {
    const pending = new PendingRequests();
    const requests = Array.from({ length: 6 }, () => added(pending));
    pending.delete(requests[4]!);
    pending.delete(requests[1]!);
    const later = [added(pending), added(pending), added(pending)];
    const rest = [requests[0], requests[2], requests[3], requests[5], ...later];
    expect(pending.inOrder()).toEqual(rest);
  });

  it('never take a correlation anew for long, nor 0, nor more than 31 bits', () => {
    const pending = new PendingRequests();
    const seen = new Set<number>();
    for (let i = 0; i < 70_000; i++) {
      const request = added(pending);
      if (i < 2_000) expect(seen.has(request.correlation)).toBe(false);
      seen.add(request.correlation);
      expect(request.correlation).toBeGreaterThan(0);
      expect(request.correlation).toBeLessThan(2 ** 31);
      pending.delete(request);
    }
  });
});
