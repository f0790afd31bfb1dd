import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStoreContract } from '@tidemark/testkit';
import { openStore } from './open-store.ts';

describeStoreContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-store-'));
  return {
    open: () => openStore(`sqlite:${join(folder, 'state.db')}`),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
});
