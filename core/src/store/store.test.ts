import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, describeStoreContract } from '@tidemark/testkit';
import { openStore } from './open-store.ts';

describeStoreContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-store-'));
  return {
    open: () => openStore(`sqlite:${join(folder, 'state.db')}`),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
});

describeStoreContract('Postgres', async () => {
  const database = await createTestDatabase();
  return { open: () => openStore(database.url), [Symbol.asyncDispose]: () => database.drop() };
});
