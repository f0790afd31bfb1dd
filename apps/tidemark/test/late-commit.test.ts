import type { Transaction } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { OrgWorld, type TargetKind } from './org-world.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How long each transaction stays open after its record was stamped. */
const OPEN_MS = [
  0,
  SECOND,
  5 * SECOND,
  9 * SECOND,
  11 * SECOND,
  30 * SECOND,
  MINUTE,
  3 * MINUTE,
  9 * MINUTE,
  11 * MINUTE,
  20 * MINUTE,
  30 * MINUTE,
];
const POLL_MS = 10 * SECOND;

/** A poll as people write it: everything stamped after a watermark, less a lookback; then the watermark moves. */
class FixedLookbackPoll {
  readonly seen = new Set<string>();
  #watermarkMs: number;
  readonly #world: OrgWorld;
  readonly #lookbackMs: number;
  readonly #next: 'own clock' | 'newest record';

  constructor(world: OrgWorld, lookbackMs: number, next: 'own clock' | 'newest record') {
    this.#world = world;
    this.#lookbackMs = lookbackMs;
    this.#next = next;
    this.#watermarkMs = world.clock.now() - MINUTE;
  }

  poll(): void {
    const since = new Date(this.#watermarkMs - this.#lookbackMs).toISOString();
    const result = this.#world.org.query(
      `SELECT Id, SystemModstamp FROM Contact WHERE SystemModstamp > ${since} ORDER BY SystemModstamp`,
    );
    const records = result.page(0, result.totalSize, 'v62.0') as { Id: string; SystemModstamp: string }[];
    for (const record of records) this.seen.add(record.Id);
    const newest = records.at(-1);
    if (this.#next === 'own clock') this.#watermarkMs = this.#world.clock.now();
    else if (newest !== undefined) this.#watermarkMs = Date.parse(newest.SystemModstamp);
  }
}

// SystemModstamp is set when a record is written and seen when its transaction commits, up to half an hour later here. Whoever
// trusts a fixed lookback, or the own clock, never sees such a record.                                                      (P1)
describe.each<TargetKind>(['sqlite', 'postgres'])('into %s', (target) => {
  test('records committed up to 30 minutes late all arrive, where a fixed lookback and a clock of one’s own lose some', async () => {
    await using world = await OrgWorld.open({ target, from: { object: 'Contact' } });
    world.insert({ LastName: 'Anchor' });
    await world.run();
    const tenSeconds = new FixedLookbackPoll(world, 10 * SECOND, 'newest record');
    const ownClock = new FixedLookbackPoll(world, 0, 'own clock');
    const begunAtMs = world.org.clock.now();
    const open: { commitAtMs: number; id: string; transaction: Transaction }[] = OPEN_MS.map((openMs, n) => {
      const transaction = world.org.begin();
      const { id } = transaction.insert('Contact', { LastName: `open for ${openMs / SECOND} s`, Department: String(n) });
      return { commitAtMs: begunAtMs + openMs, id, transaction };
    });
    const committed: string[] = [];
    await using engine = await world.engine();
    for (let n = 0; open.length > 0 || n % 2 === 1; n++) {
      // Other work goes on, so that every watermark has a reason to move.
      world.insert({ LastName: `meanwhile ${n}` });
      const due = open.filter(({ commitAtMs }) => commitAtMs <= world.org.clock.now());
      for (const late of due) {
        late.transaction.commit();
        committed.push(late.id);
        open.splice(open.indexOf(late), 1);
      }
      await engine.run('s', { signal: new AbortController().signal });
      tenSeconds.poll();
      ownClock.poll();
      world.org.clock.advance(n < 12 ? POLL_MS : MINUTE);
    }
    world.org.clock.advance(2 * MINUTE);
    await engine.run('s', { signal: new AbortController().signal });
    tenSeconds.poll();
    ownClock.poll();

    expect(committed).toHaveLength(OPEN_MS.length);
    expect(await engine.verify('s', { repair: false, signal: new AbortController().signal })).toMatchObject({ differences: 0 });
    const lost = (poll: FixedLookbackPoll) => committed.filter((id) => !poll.seen.has(id)).length;
    expect(lost(tenSeconds)).toBeGreaterThan(0);
    expect(lost(ownClock)).toBeGreaterThan(0);
  });
});
