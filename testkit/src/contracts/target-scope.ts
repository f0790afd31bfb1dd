import type { Change, Row, StreamChange, Target, TargetScope } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contact, contactSchema, loadBlock, remove, upsert } from './rows.ts';
import type { CreateTarget, TargetFixture } from './target-fixture.ts';

const ORGS = ['acme', "glo'bex"] as const;
type Org = (typeof ORGS)[number];
const KEYS = ['a', 'b', 'c', 'd'] as const;
const signal = new AbortController().signal;

const scopeOf = (value: string): TargetScope => ({ column: 'org_id', value });

interface Shared {
  readonly target: Target;
  readonly epoch: number;
}

async function openFor(fixture: TargetFixture, org: string): Promise<Shared> {
  const target = await fixture.open({ schema: contactSchema, deletes: 'mirror', scope: scopeOf(org) });
  await target.prepare();
  return { target, epoch: (await target.checkpoints!.acquire(`contract@${org}`)).epoch };
}

const write = ({ target, epoch }: Shared, changes: readonly Change[], checkpoint: string | null = null) =>
  target.write(changes, { epoch, settle: async () => checkpoint }, signal);

async function read({ target }: Shared): Promise<Record<string, unknown>> {
  const rows = await target.read!(KEYS);
  return Object.fromEntries([...rows].map(([key, row]) => [key, row.Name] as const).sort());
}

/** A full run: what the load does not hold is swept. */
async function load({ target, epoch }: Shared, rows: readonly Row[], stampMs: number, id: string) {
  const load = await target.beginLoad!({ epoch, loadId: id, stampColumn: contactSchema.fields.length }, signal);
  const block = loadBlock(
    rows.map((row) => ({ row, stampMs })),
    contactSchema,
    () => 'text',
  );
  const blocks = async function* () {
    yield block;
  };
  await load.writePage(blocks(), 'end', async () => {}, signal);
  const differing: string[] = [];
  for await (const { key, kind } of load.differences()) differing.push(`${kind} ${key}`);
  const missing = await load.countMissing();
  const gone: string[] = [];
  for await (const keys of load.missingKeys()) gone.push(...keys);
  await load.finish({ gone, checkpoint: null, signal });
  return { differing: differing.sort(), missing, gone: gone.sort() };
}

const name = fc.constantFrom('x', 'y', 'z');
const step = fc.record({
  org: fc.constantFrom(...ORGS),
  what: fc.oneof(
    fc.record({ kind: fc.constant('write' as const), key: fc.constantFrom(...KEYS), name }),
    fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom(...KEYS) }),
    fc.record({ kind: fc.constant('update' as const), key: fc.constantFrom(...KEYS), name }),
    fc.record({ kind: fc.constant('load' as const), rows: fc.dictionary(fc.constantFrom(...KEYS), name) }),
  ),
});

/** Called by `describeTargetContract`: several share a dataset, each with rows of its own, under the same keys. */
export function describeScopeContract(create: CreateTarget, runs: number): void {
  test('shared: whatever orgs write, stream, load and sweep in one dataset, each has its own rows and no others (P4, P12)', () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
        await using fixture = await create();
        const shared = new Map<Org, Shared>();
        for (const org of ORGS) shared.set(org, await openFor(fixture, org));
        const model = new Map<Org, Map<string, string>>(ORGS.map((org) => [org, new Map()]));
        let now = 1000;
        for (const { org, what } of steps) {
          now += 1000;
          const one = shared.get(org)!;
          const own = model.get(org)!;
          if (what.kind === 'write') {
            await write(one, [upsert(contact(what.key, { Name: what.name }), now)]);
            own.set(what.key, what.name);
          } else if (what.kind === 'delete') {
            await write(one, [remove(what.key, now)]);
            own.delete(what.key);
          } else if (what.kind === 'update') {
            await using writer = await fixture.openStreamWriter!([one.target]);
            const transaction = await writer.begin(signal);
            const row = Object.assign(Object.create(null), { Name: what.name }) as Row;
            const change: StreamChange = { op: 'update', key: what.key, row, stampMs: now };
            const [result] = await transaction.apply(one.target, [change]);
            await transaction.commit(`contract@${org}`, one.epoch, 'on');
            expect(result!.status === 'absent').toBe(!own.has(what.key));
            if (own.has(what.key)) own.set(what.key, what.name);
          } else {
            const rows = Object.entries(what.rows).map(([key, Name]) => contact(key, { Name }));
            const lacking = [...own.keys()].filter((key) => !(key in what.rows)).sort();
            const told = await load(one, rows, now, `load ${now}`);
            expect(told.missing).toEqual({ missing: lacking.length, total: own.size });
            expect(told.gone).toEqual(lacking);
            expect(told.differing.filter((each) => each.startsWith('extra')).map((each) => each.slice(6))).toEqual(lacking);
            own.clear();
            for (const [key, value] of Object.entries(what.rows)) own.set(key, value);
          }
          for (const each of ORGS)
            expect(await read(shared.get(each)!)).toEqual(Object.fromEntries([...model.get(each)!].sort()));
        }
      }),
      { numRuns: runs },
    ));

  test('shared: two orgs that load at the same time each get what they loaded, and their checkpoints are their own', async () => {
    await using fixture = await create();
    const [acme, globex] = [await openFor(fixture, 'acme'), await openFor(fixture, 'globex')];
    await Promise.all([
      load(acme, [contact('a', { Name: 'A' }), contact('b', { Name: 'B' })], 1000, 'one'),
      load(globex, [contact('a', { Name: 'G' })], 1000, 'one'),
    ]);
    expect(await read(acme)).toEqual({ a: 'A', b: 'B' });
    expect(await read(globex)).toEqual({ a: 'G' });
    await write(acme, [], 'as far as this');
    expect(await acme.target.checkpoints!.read('contract@acme')).toBe('as far as this');
    expect(await globex.target.checkpoints!.read('contract@globex')).toBeNull();
  });

  test('bad input: a column for the org that a field takes, or that a table lacks whose rows are anybody’s, is refused', async () => {
    await using fixture = await create();
    const taken = await fixture.open({ schema: contactSchema, deletes: 'mirror', scope: { column: 'name', value: 'acme' } });
    await expect(taken.prepare()).rejects.toMatchObject({ code: 'request_refused', hint: expect.stringContaining('orgColumn') });
    const alone = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await alone.prepare();
    const late = await fixture.open({ schema: contactSchema, deletes: 'mirror', scope: scopeOf('acme') });
    await expect(late.prepare()).rejects.toMatchObject({ code: 'request_refused', message: expect.stringContaining('org_id') });
  });
}
