import { expect, test } from 'vitest';
import { allocateDoorbell, Doorbell } from '../../../src/ring/doorbell.ts';

const NEVER = () => false;

test('a bell that rings while its owner is awake does nothing', () => {
  const bell = new Doorbell(allocateDoorbell());
  bell.ring();
  let asked = 0;
  bell.sleep(0, () => {
    asked++;
    return false;
  });
  expect(asked).toBe(1);
});

test('a bell that rings between the last look and the sleep ends the sleep at once', () => {
  const bell = new Doorbell(allocateDoorbell());
  const began = performance.now();
  bell.sleep(60_000, () => {
    bell.ring();
    return false;
  });
  expect(performance.now() - began).toBeLessThan(30_000);
});

test('whoever has work does not sleep', () => {
  const bell = new Doorbell(allocateDoorbell());
  const began = performance.now();
  bell.sleep(60_000, () => true);
  expect(performance.now() - began).toBeLessThan(30_000);
});

test('an armed bell calls once, from the event loop', async () => {
  const bell = new Doorbell(allocateDoorbell());
  let calls = 0;
  const rung = new Promise<void>((resolve) => {
    bell.armAsync(() => {
      calls++;
      resolve();
    }, NEVER);
  });
  bell.ring();
  bell.ring();
  expect(calls).toBe(0);
  await rung;
  bell.ring();
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(1);
});

test('an armed bell calls when there was work already, or it rang in between', async () => {
  const bell = new Doorbell(allocateDoorbell());
  await new Promise<void>((resolve) => bell.armAsync(resolve, () => true));
  await new Promise<void>((resolve) => {
    bell.armAsync(resolve, () => {
      bell.ring();
      return false;
    });
  });
});

test('a closed bell calls nobody, whatever was armed', async () => {
  const bell = new Doorbell(allocateDoorbell());
  let calls = 0;
  bell.armAsync(() => calls++, NEVER);
  bell.close();
  bell.armAsync(
    () => calls++,
    () => true,
  );
  bell.ring();
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(0);
});
