import { expect, test } from 'vitest';
import { openStore } from '../store/open-store.ts';
import { createOnce } from './once.ts';

// What a step makes up (a code, an id) reaches two systems, so a retry has to come to the same one.   (P1)
test('a value is made once for a key, whoever asks and however often; each step has its own', async () => {
  await using store = await openStore('sqlite::memory:');
  const once = createOnce(store, 'accounts steps[0] run');
  let made = 0;
  const make = () => `code ${++made}`;
  expect(await Promise.all([once('a', make), once('a', make)])).toEqual(['code 1', 'code 1']);
  expect(await once('a', () => 'another')).toBe('code 1');
  expect(await createOnce(store, 'accounts steps[1] run')('a', () => null)).toBe(null);
  // A restart is another store object over the same rows.
  expect(await createOnce(store, 'accounts steps[0] run')('a', make)).toBe('code 1');
});

test('what could not be made is made by the next try', async () => {
  await using store = await openStore('sqlite::memory:');
  const once = createOnce(store, 'step');
  await expect(once('a', () => Promise.reject(new Error('no entropy')))).rejects.toThrow('no entropy');
  await expect(once('a', () => undefined as never)).rejects.toThrow('made nothing that can be kept');
  expect(await once('a', () => ({ deep: [1] }))).toEqual({ deep: [1] });
});
