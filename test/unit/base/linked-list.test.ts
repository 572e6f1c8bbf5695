import { describe, expect, it } from 'vitest';
import { type Linked, LinkedList } from '../../../src/base/linked-list.ts';

class Member implements Linked<Member> {
  list: object | undefined;
  before: Member | undefined;
  after: Member | undefined;
}

const members = (count: number) => Array.from({ length: count }, () => new Member());

describe('a linked list', () => {
  it('keeps the order in which members came, whoever leaves', () => {
    const list = new LinkedList<Member>();
    const all = members(6);
    for (const member of all) list.push(member);
    for (const leaving of [0, 3, 5]) expect(list.delete(all[leaving]!)).toBe(true);
    expect([...list]).toEqual([all[1], all[2], all[4]]);
    list.push(all[0]!);
    expect([...list]).toEqual([all[1], all[2], all[4], all[0]]);
    expect(list.first).toBe(all[1]);
  });

  it('knows who is not in it, and leaves other lists alone', () => {
    const [one, other] = [new LinkedList<Member>(), new LinkedList<Member>()];
    const [member, stranger] = members(2);
    one.push(member!);
    expect(other.delete(member!)).toBe(false);
    expect(one.delete(stranger!)).toBe(false);
    expect(one.delete(member!)).toBe(true);
    expect(one.delete(member!)).toBe(false);
    expect(one.empty).toBe(true);
  });

  it('leaves nothing in those that have left', () => {
    const list = new LinkedList<Member>();
    const [first, second, third] = members(3);
    for (const member of [first!, second!, third!]) list.push(member);
    list.delete(second!);
    expect(second).toEqual(new Member());
  });

  it('can be gone through while members leave', () => {
    const list = new LinkedList<Member>();
    const all = members(4);
    for (const member of all) list.push(member);
    const seen: Member[] = [];
    for (const member of list) {
      seen.push(member);
      list.delete(member);
    }
    expect(seen).toEqual(all);
    expect(list.empty).toBe(true);
  });
});
