import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { Example } from '../command-line.ts';
import { seen, type World } from '../world.ts';
import { Vendor } from './vendor.ts';

export const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));

export const secret = 'the secret of the vendor';

export interface Package extends Disposable {
  /** An sfdx project. */
  readonly folder: string;
}

/** The org's side, as `tidemark package` writes it: nobody is asked for it, so that no variable has to mean anything. */
export async function writePackage(): Promise<Package> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-sync-pipe-package-'));
  using example = new Example(config, () => settings({ clientId: 'id', clientSecret: 'secret' }));
  const { exitCode, out, err } = await example.run(['package', '--out', folder]);
  if (exitCode !== 0) throw new Error(`tidemark package: ${out}${err}`);
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

const settings = (credentials: { readonly clientId: string; readonly clientSecret: string }) => ({
  SF_CLIENT_ID: credentials.clientId,
  SF_CLIENT_SECRET: credentials.clientSecret,
  VENDOR_URL: 'https://vendor.example',
  VENDOR_TOKEN: 'vendor-token',
  PUSH_SECRET: secret,
});

export interface PipeWorld extends World {
  readonly org: Emulator;
  /** Whom the pipe signs in as. */
  readonly userId: string;
  readonly vendor: Vendor;
  /** Accounts more, each with a website; answers their ids. */
  accounts(count: number): string[];
  enrichments(): Record<string, unknown>[];
}

/**
 * An org that publishes over CometD, and the vendor's API. The org has what the package brings; its user may do nothing but what the
 * package's permission sets let them do.
 */
export async function openWorld(given?: Package): Promise<PipeWorld> {
  const project = given ?? (await writePackage());
  const user = {
    username: 'tidemark@sync-pipe.example',
    profile: 'Minimum Access - API Only Integrations',
    permissionSets: ['Sync_Pipe', 'Sync_Pipe_Org'],
  };
  const org = await startEmulator({ source: project.folder, records: 0, users: [user] });
  if (given === undefined) project[Symbol.dispose]();
  const [credentials] = org.userCredentials;
  const vendor = new Vendor();
  const url = await vendor.listen();
  const accounts = (count: number) =>
    Array.from(
      { length: count },
      (_, i) => org.org.write((tx) => tx.insert('Account', { Name: `A${i}`, Website: `https://${i}.example` })).id!,
    );
  const enrichments = () => {
    const found = org.org.query(
      'SELECT External_Id__c, Record_Id__c, Rating__c, LastModifiedDate FROM Enrichment__c ORDER BY Record_Id__c',
    );
    return found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
  };
  return {
    ...{ org, userId: credentials!.userId, vendor, accounts, enrichments },
    env: (folder) => ({
      ...settings(credentials!),
      SF_LOGIN_URL: org.credentials.loginUrl,
      VENDOR_URL: url,
      VENDOR_IS_PRIVATE: 'true',
      PIPE: join(folder, 'queue.db'),
      TIDEMARK_STORE: join(folder, 'store.db'),
    }),
    stream: 'live:crm:/event/Sync_Request__e:requests',
    scenes: [
      {
        says: 'An account gets a website. The Flow asks for it, and the vendor is asked:',
        async play() {
          const [id] = accounts(1);
          const found = await seen('the enrichment', () => enrichments().find(({ Record_Id__c }) => Record_Id__c === id));
          return `the org has the enrichment ${found.External_Id__c}, rated ${found.Rating__c}`;
        },
      },
      {
        says: 'At the vendor its rating changes. Off hours all related records are asked for:',
        async play({ example }) {
          vendor.rating = 'B';
          await example.run(['run', 'refresh-accounts', '--full']);
          await seen('the new rating', () => enrichments().find(({ Rating__c }) => Rating__c === 'B'));
          return 'the org has the rating B';
        },
      },
    ],
    async [Symbol.asyncDispose]() {
      vendor.close();
      await org.close();
    },
  };
}
