import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../base/clock.ts';
import { ConfigError, type Problem, TransientError } from '../base/errors.ts';
import type { LookupConfig } from '../config/config.ts';
import type { Found, Lookup } from '../model/lookup.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { type FieldValue, newRow, type Row, textOf } from '../model/value.ts';
import type { Item } from './stage.ts';
import { lookupStage } from './stage-lookup.ts';

// Each record gets what is found for it and for nobody else, however records come in batches and whatever is remembered; and one
// that cannot be looked up takes no other with it.                                                                     (P2)

const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: ['Id', 'Domain', 'Country', 'Firm'].map((name) => ({ name, type: 'text', nullable: name !== 'Id' })),
};

interface Firm {
  readonly domain: string;
  readonly id: number;
  readonly country: string | null;
}

/** A system that holds firms, may refuse a value, and counts what it is asked. */
function firmsOf(firms: readonly Firm[], options: { refused?: string; valuesMax?: number; fails?: () => boolean } = {}) {
  const asked: string[][] = [];
  const lookup: Lookup = {
    valuesMax: options.valuesMax ?? 1000,
    types: new Map([['id', 'integer']]),
    async find(values: readonly FieldValue[]) {
      if (options.fails?.()) throw new TransientError('not now');
      const texts = values.map((value) => textOf(value)!);
      asked.push(texts);
      const found = new Map<string, Found>();
      for (const text of texts) {
        if (text === options.refused) found.set(text, { refused: { code: 'BAD_VALUE', message: 'no such domain' } });
        else {
          const rows = firms.filter(({ domain }) => domain === text);
          if (rows.length > 0)
            found.set(
              text,
              rows.map((firm) => Object.assign<Row, Row>(newRow(), { ...firm })),
            );
        }
      }
      return found;
    },
    async [Symbol.asyncDispose]() {},
  };
  return { lookup, asked };
}

const step = (changes: Partial<LookupConfig> = {}): LookupConfig => ({
  kind: 'lookup',
  name: 'firm',
  connection: 'app',
  spec: { table: 'firms' },
  key: 'domain',
  by: { kind: 'field', field: 'domain' },
  fields: new Map([['Firm', 'id']]),
  match: null,
  missing: 'keep',
  several: 'fail',
  batch: 100,
  cacheMs: 0,
  notes: null,
  ...changes,
});

async function stageOf(config: LookupConfig, lookup: Lookup, clock: Clock = systemClock) {
  const problems: Problem[] = [];
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const signal = new AbortController().signal;
  const context = {
    clock,
    random: () => 0.5,
    log,
    signal,
    openLookup: async () => lookup,
    problems,
    place: 'steps',
    open: false,
  };
  const stage = await lookupStage(config, schema, context);
  if (problems.length > 0) throw new ConfigError(problems);
  return stage;
}

const item = (Id: string, Domain: string | null, Country: string | null = null): Item => ({
  key: Id,
  stampMs: 7,
  row: Object.assign<Row, Row>(newRow(), { Id, Domain, Country, Firm: 'before' }),
});

describe('a lookup', () => {
  const firms = [
    { domain: 'a.com', id: 1, country: 'AT' },
    { domain: 'b.com', id: 2, country: 'AT' },
    { domain: 'b.com', id: 3, country: 'DE' },
  ];

  test('keeps, drops or fails records for which nothing is found, and says what came of several', async () => {
    const items = [item('1', 'a.com'), item('2', 'none.com'), item('3', null), item('4', 'b.com')];
    const outcome = async (changes: Partial<LookupConfig>) => {
      const result = await (await stageOf(step(changes), firmsOf(firms).lookup)).items(items);
      return {
        kept: result.items.map(({ key, row }) => [key, row.Firm]),
        dropped: result.dropped.map(({ key }) => key),
        failed: result.failures.map(({ key, code, place }) => [key, code, place]),
      };
    };
    expect(await outcome({})).toEqual({
      kept: [
        ['1', 1],
        ['2', null],
        ['3', null],
      ],
      dropped: [],
      failed: [['4', 'lookup_ambiguous', 'firm']],
    });
    expect(await outcome({ missing: 'drop', several: 'first' })).toEqual({
      kept: [
        ['1', 1],
        ['4', 2],
      ],
      dropped: ['2', '3'],
      failed: [],
    });
    expect((await outcome({ missing: 'fail', several: 'first' })).failed).toEqual([
      ['2', 'lookup_missing', 'firm'],
      ['3', 'lookup_missing', 'firm'],
    ]);
  });

  test('picks the one that is meant among several, by fields or by an expression', async () => {
    const equal = { expression: null, equal: new Map([['country', 'Country']]), found: ['country'], record: ['Country'] };
    const expression = {
      expression: 'found.country = $uppercase(record.Country)',
      equal: new Map(),
      found: ['country'],
      record: ['Country'],
    };
    for (const [match, country] of [
      [equal, 'DE'],
      [expression, 'de'],
    ] as const) {
      const stage = await stageOf(step({ match }), firmsOf(firms).lookup);
      const { items } = await stage.items([item('1', 'b.com', country), item('2', 'b.com', 'FR'), item('3', 'b.com', null)]);
      expect(items.map(({ row }) => row.Firm)).toEqual([3, null, null]);
    }
  });

  test('a value that is refused fails its own records and no other; when nothing can be asked, nothing goes on (P1, P2)', async () => {
    const stage = await stageOf(step(), firmsOf(firms, { refused: 'bad.com' }).lookup);
    const { items, failures } = await stage.items([item('1', 'a.com'), item('2', 'bad.com'), item('3', 'bad.com')]);
    expect(items.map(({ key }) => key)).toEqual(['1']);
    expect(failures.map(({ key, code }) => [key, code])).toEqual([
      ['2', 'BAD_VALUE'],
      ['3', 'BAD_VALUE'],
    ]);
    const down = await stageOf(step(), firmsOf(firms, { fails: () => true }).lookup);
    await expect(down.items([item('1', 'a.com')])).rejects.toThrow(TransientError);
  });

  test('asks once for each value of a batch, in questions of the size that both allow', async () => {
    const { lookup, asked } = firmsOf([], { valuesMax: 3 });
    const stage = await stageOf(step({ batch: 5 }), lookup);
    await stage.items(['a', 'b', 'a', 'c', 'd', null, 'a'].map((domain, i) => item(String(i), domain)));
    expect(asked).toEqual([['a', 'b', 'c'], ['d']]);
  });

  test('what was found is remembered for as long as it may be; what was not is asked again', async () => {
    let nowMs = 0;
    const { lookup, asked } = firmsOf(firms);
    const stage = await stageOf(step({ cacheMs: 1000 }), lookup, { ...systemClock, now: () => nowMs });
    const items = [item('1', 'a.com'), item('2', 'new.com')];
    for (const at of [0, 999, 1000]) {
      nowMs = at;
      await stage.items(items);
    }
    expect(asked).toEqual([['a.com', 'new.com'], ['new.com'], ['a.com', 'new.com']]);
  });

  test('a field that records do not have, and a key in the place of a result, are problems before anything runs', async () => {
    const { lookup } = firmsOf([]);
    await expect(stageOf(step({ by: { kind: 'field', field: 'Domian' } }), lookup)).rejects.toThrow('no field Domian');
    await expect(stageOf(step({ fields: new Map([['Id', 'id']]) }), lookup)).rejects.toThrow('must keep its value');
  });

  test('however records come in batches and whatever is remembered, each gets what a search for it alone would find', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ domain: fc.constantFrom('a', 'b', 'c', ''), id: fc.nat(5), country: fc.constantFrom('AT', null) }), {
          maxLength: 6,
        }),
        fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', '', null), { maxLength: 8 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(0, 1000),
        fc.constantFrom('keep' as const, 'drop' as const, 'fail' as const),
        async (held, batches, batch, cacheMs, missing) => {
          const stage = await stageOf(step({ batch, cacheMs, missing, several: 'first' }), firmsOf(held).lookup);
          for (const domains of batches) {
            const items = domains.map((domain, i) => item(String(i), domain));
            const result = await stage.items(items);
            const firmOf = (domain: string | null) => held.find((firm) => firm.domain === domain)?.id;
            const found = items.filter((_, i) => firmOf(domains[i]!) !== undefined || missing === 'keep');
            expect(result.items.map(({ key }) => key)).toEqual(found.map(({ key }) => key));
            for (const { key, row } of result.items) expect(row.Firm).toBe(firmOf(domains[Number(key)]!) ?? null);
            expect(result.items.length + result.dropped.length + result.failures.length).toBe(items.length);
          }
        },
      ),
    ));
});
