import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestHex, md5Digest, md5Hex } from '../../../../src/door/sqs/md5.ts';

test('digests of every length around its blocks and its limit are those of Node', () => {
  const source = Buffer.from(Array.from({ length: 700 }, (_, i) => (i * 73 + 11) & 0xff));
  for (let length = 0; length < source.length; length++) {
    const bytes = source.subarray(0, length);
    expect(md5Hex(bytes)).toBe(createHash('md5').update(bytes).digest('hex'));
  }
});

test('a part of some bytes is digested where it stands', () => {
  const bytes = Buffer.from('before hello after');
  expect(digestHex(md5Digest(bytes, 7, 12))).toBe('5d41402abc4b2a76b9719d911017c592');
});

test('a digest is not changed by the next one', () => {
  const first = md5Digest(Buffer.from('hello'));
  md5Digest(Buffer.from('other'));
  expect(digestHex(first)).toBe('5d41402abc4b2a76b9719d911017c592');
});
