import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type AnyConnector,
  Configuration,
  Engine,
  type Log,
  openStore,
  parseConfig,
  type RunReport,
  systemClock,
} from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { type Served, serveHttp } from '../serve-http.ts';
import { demoConfig, demoSyncs } from './demo-config.ts';
import { type OrgLife, orgLife } from './org-life.ts';

export interface DemoOptions {
  /** Where `tidemark-demo.db` and `tidemark-demo.yaml` are written. */
  readonly folder: string;
  readonly records: number;
  readonly connectors: readonly AnyConnector[];
  readonly fetch: typeof globalThis.fetch;
  readonly log: Log;
  /** One line of the story. */
  readonly tell: (line: string) => void;
  /** Aborted by Ctrl-C. */
  readonly stop: AbortSignal;
  /** Goes on syncing after the story, until `stop`. */
  readonly keepRunning: boolean;
  /** Called when the story is told and verified, before it goes on. */
  readonly onVerified: (outcome: DemoOutcome) => void;
}

/** One line of the demo's table. */
export interface DemoRow {
  readonly sync: string;
  /** Records in the copy at the end. */
  readonly records: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly failed: number;
  readonly verified: number;
  readonly differences: number;
}

export interface DemoOutcome {
  readonly syncs: readonly DemoRow[];
  readonly clean: boolean;
  readonly database: string;
  readonly config: string;
  readonly orgUrl: string;
}

/** The main job on one machine: an org, a copy of it, and what happens to both. */
export async function runDemo(options: DemoOptions): Promise<DemoOutcome> {
  const database = resolve(options.folder, 'tidemark-demo.db');
  const configFile = resolve(options.folder, 'tidemark-demo.yaml');
  const storeFile = resolve(options.folder, '.tidemark', 'demo.db');
  mkdirSync(dirname(storeFile), { recursive: true });
  // The demo begins with an empty copy, so that its first run is a first run.
  for (const file of [database, storeFile]) for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });

  options.tell(`Filling a Salesforce org on this machine with ${options.records.toLocaleString('en')} records`);
  const emulator = await startEmulator({ records: options.records, seed: 1 });
  try {
    const text = demoConfig(emulator.credentials, { database, store: storeFile });
    writeFileSync(configFile, text);
    const config = parseConfig(text, { file: configFile, env: {}, connectors: options.connectors });
    await using store = await openStore(storeFile);
    const { fetch, log } = options;
    await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch });
    await using _served = options.keepRunning ? await serveDashboard(engine, options) : null;
    const story = new Story(engine, emulator, database, options);
    const outcome = { ...(await story.tell()), database, config: configFile, orgUrl: emulator.url };
    options.onVerified(outcome);
    if (options.keepRunning) await story.goOn();
    return outcome;
  } finally {
    await emulator.close();
  }
}

/** What `tidemark start` answers, the dashboard among it, for whoever wants to watch. */
function serveDashboard(engine: Engine, { connectors, log, tell, stop }: DemoOptions): Promise<Served> {
  const { config } = engine;
  return serveHttp({
    engine,
    // The file of the demo holds a secret, so that it is shown and never taken over.
    configuration: new Configuration({ config, env: {}, connectors, reload() {} }),
    http: config.http,
    log,
    clock: systemClock,
    showToken: (dashboard) => tell(`Watch it in the dashboard (it takes some seconds to open the first time): ${dashboard}`),
    notReady: () => [],
    stop,
  });
}

class Story {
  readonly #engine: Engine;
  readonly #emulator: Emulator;
  readonly #database: string;
  readonly #options: DemoOptions;
  readonly #life: OrgLife;
  readonly #totals = new Map<string, { created: number; updated: number; unchanged: number; deleted: number; failed: number }>();
  #waiting: { readonly syncs: Set<string>; resolve(): void } | null = null;

  constructor(engine: Engine, emulator: Emulator, database: string, options: DemoOptions) {
    this.#engine = engine;
    this.#emulator = emulator;
    this.#database = database;
    this.#options = options;
    this.#life = orgLife(emulator.org);
  }

  async tell(): Promise<{ syncs: readonly DemoRow[]; clean: boolean }> {
    const { tell, stop } = this.#options;
    for (const sync of Object.keys(demoSyncs)) {
      const report = await this.#engine.run(sync, { full: true, signal: stop });
      this.#count(report);
      if (report.state !== 'succeeded') throw new Error(`the first full run of ${sync} failed: ${report.error?.message}`);
      tell(
        `First full run of ${sync}: ${report.counts.created.toLocaleString('en')} records in ${(report.durationMs / 1000).toFixed(1)} s`,
      );
    }
    this.#addRule();
    const life = this.#life;
    let spoilt = '';
    await this.#whileScheduled(async (settled) => {
      tell(`In the org: ${life.change()} records changed, ${life.create()} created, ${life.delete()} deleted`);
      await settled();
      tell('The deltas have brought it over');
      tell(`In the org: ${life.undelete()} of the deleted records restored, ${life.purge()} others deleted for good`);
      spoilt = life.spoil();
      tell(`One bad record: account ${spoilt} now breaks a rule of the database`);
      await settled();
      const failures = (await this.#engine.status('accounts'))[0]!.openFailures;
      tell(`It is kept as a failure (${failures} open), and everything else went on`);
      this.#outage();
      tell(`An outage: the org answers with errors and cut connections, while ${life.change()} records change`);
      await settled();
      tell('The runs were retried and caught up');
      life.mend(spoilt);
      tell('The bad record is mended in the org');
      await settled();
    });
    this.#count(await this.#engine.retry('accounts', { signal: stop, ids: await this.#openFailures() }));
    tell('Its failure was retried with the record as it is now');
    // What was deleted for good left no trace for a delta: a full run sweeps it.
    this.#count(await this.#engine.run('leads', { full: true, signal: stop }));
    tell('A full run of leads swept what had been deleted for good');
    return this.#verify();
  }

  /** The schedule of the configuration, with a life in the org that goes on by itself. */
  async goOn(): Promise<void> {
    await this.#engine.start({ stop: this.#options.stop, signal: new AbortController().signal });
  }

  async #verify(): Promise<{ syncs: readonly DemoRow[]; clean: boolean }> {
    const rows: DemoRow[] = [];
    let clean = true;
    for (const sync of Object.keys(demoSyncs)) {
      const verdict = await this.#engine.verify(sync, { repair: false, signal: this.#options.stop });
      const { openFailures } = (await this.#engine.status(sync))[0]!;
      clean &&= verdict.differences === 0 && openFailures === 0;
      const { created, updated, unchanged, deleted, failed } = this.#totals.get(sync)!;
      rows.push({
        sync,
        records: this.#rowsIn(demoSyncs[sync as keyof typeof demoSyncs]),
        created,
        updated,
        unchanged,
        deleted,
        failed,
        verified: verdict.verified,
        differences: verdict.differences,
      });
    }
    return { syncs: rows, clean };
  }

  /** Lets the schedule run while `work` goes on; `settled` waits until every sync has run twice more, from start to end. */
  async #whileScheduled(work: (settled: () => Promise<void>) => Promise<void>): Promise<void> {
    const ended = new AbortController();
    const stop = AbortSignal.any([ended.signal, this.#options.stop]);
    const running = this.#engine.start({ stop, signal: this.#options.stop, onRun: (report) => this.#onRun(report) });
    try {
      await work(async () => {
        // A run that was under way when something happened may have missed it; the one after it has not.
        for (let round = 0; round < 2; round++) await this.#eachRuns(stop);
      });
    } finally {
      ended.abort();
      await running;
    }
  }

  #eachRuns(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { syncs: new Set(Object.keys(demoSyncs)), resolve };
      stop.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #onRun(report: RunReport): void {
    this.#count(report);
    if (this.#waiting === null || report.state !== 'succeeded') return;
    this.#waiting.syncs.delete(report.sync);
    if (this.#waiting.syncs.size === 0) this.#waiting.resolve();
  }

  #count(report: RunReport): void {
    const total = this.#totals.get(report.sync) ?? { created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0 };
    for (const name of ['created', 'updated', 'unchanged', 'deleted', 'failed'] as const) total[name] += report.counts[name];
    this.#totals.set(report.sync, total);
  }

  /** A rule of the user's own database, which Tidemark knows nothing of. */
  #addRule(): void {
    this.#withDatabase((db) => {
      for (const event of ['INSERT', 'UPDATE']) {
        db.exec(`CREATE TRIGGER no_negative_headcount_${event.toLowerCase()} BEFORE ${event} ON Account WHEN NEW.NumberOfEmployees < 0
          BEGIN SELECT RAISE(ABORT, 'NumberOfEmployees must not be negative'); END`);
      }
    });
  }

  #rowsIn(table: string): number {
    return this.#withDatabase((db) => Number(db.prepare(`SELECT count(*) AS n FROM "${table}"`).get()!.n));
  }

  #withDatabase<T>(work: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(this.#database, { timeout: 5000 });
    try {
      return work(db);
    } finally {
      db.close();
    }
  }

  #outage(): void {
    const { faults } = this.#emulator;
    faults.add({ kind: 'unavailable', match: { path: '/services/data', times: 6 } });
    faults.add({ kind: 'drop', match: { path: '/services/data', after: 6, times: 3 } });
    faults.add({ kind: 'unauthorized', match: { path: '/services/data', after: 9, times: 1 } });
  }

  async #openFailures(): Promise<readonly string[]> {
    return (await this.#engine.failures({ sync: 'accounts' })).map((failure) => failure.id);
  }
}
