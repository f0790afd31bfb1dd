import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import type { World } from '../world.ts';

const day = 86_400_000;

export interface PolledWorld extends World {
  readonly org: Emulator;
  /** A contact more; answers its id. */
  insert(name: string): string;
}

/** An org that has stood for two days: one contact is older than the default watermark, one is younger. */
export async function openWorld(): Promise<PolledWorld> {
  const clock = createClock(Date.now() - 2 * day);
  const org = await startEmulator({ records: 0, clock });
  const insert = (name: string) => org.org.write((tx) => tx.insert('Contact', { LastName: name })).id!;
  insert('Old');
  clock.advance(2 * day);
  insert('Ada');
  const { loginUrl, username, password, securityToken } = org.credentials;
  return {
    org,
    insert,
    env: (folder) => ({
      SF_LOGIN_URL: loginUrl,
      SF_USERNAME: username,
      SF_PASSWORD: password,
      SF_SECURITY_TOKEN: securityToken,
      TIDEMARK_STORE: `${folder}/store.db`,
    }),
    scenes: [
      {
        says: 'Somebody adds the contact Grace to the org. Within ten seconds:',
        play({ running }) {
          insert('Grace');
          return running!.line('out', (line) => line.includes('Contact Grace changed'));
        },
      },
    ],
    [Symbol.asyncDispose]: () => org.close(),
  };
}
