import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { firstLine, start, stop } from './child.ts';
import { names } from './contact.ts';

export type TargetConnection =
  | { readonly type: 'postgres'; readonly url: string }
  | { readonly type: 'sqlite'; readonly path: string }
  | { readonly type: 'mongodb'; readonly url: string; readonly decimals: 'decimal128' | 'double' };

/** An emulator in a process of its own, and a folder for the state of what reads it: a store that lies about is none of a bench's. */
export class BenchOrg implements AsyncDisposable {
  readonly credentials: EmulatorCredentials;
  readonly #child: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-org-'));

  private constructor(child: ChildProcess, credentials: EmulatorCredentials) {
    this.#child = child;
    this.credentials = credentials;
  }

  static async start(rows: number): Promise<BenchOrg> {
    const child = start('./emulator-process.ts', { rows });
    return new BenchOrg(child, await firstLine<EmulatorCredentials>(child));
  }

  async backdoor<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const reply = await fetch(`${this.credentials.backdoorUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!reply.ok) throw new Error(`backdoor ${path}: ${await reply.text()}`);
    return (await reply.json()) as T;
  }

  /** A configuration with one sync, `contacts`, from this org into a table or collection `contact`. */
  yaml(target: TargetConnection, options: { fields?: Record<string, string>; store?: string; from?: object } = {}): string {
    const { loginUrl, clientId, clientSecret } = this.credentials;
    const fields = options.fields ?? Object.fromEntries(names.map((name) => [name, name]));
    // In PostgreSQL the columns are named as the limit's table names them: in lower case.
    const spelled = Object.entries(fields).map(([name, from]) => [target.type === 'postgres' ? name.toLowerCase() : name, from]);
    return JSON.stringify({
      store: { url: options.store ?? join(this.#folder, 'state.db') },
      connections: {
        org: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
        db: target,
      },
      syncs: {
        contacts: {
          from: { connection: 'org', object: 'Contact', ...options.from },
          to: { connection: 'db', [target.type === 'mongodb' ? 'collection' : 'table']: 'contact' },
          fields: Object.fromEntries(spelled),
        },
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stop(this.#child);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
