import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import type { FieldMapping, SyncConfig } from '../../config/config.ts';
import type { Source } from '../../model/connector.ts';
import { newRow, type Row } from '../../model/value.ts';
import { compilePartial } from './partial.ts';

const schema = {
  name: 'people',
  key: ['id'],
  fields: ['id', 'first', 'last', 'city', 'formula'].map((name) => ({ name, type: 'text' as const, nullable: true })),
};
const rowOf = (values: Record<string, string>): Row => Object.assign(newRow(), values);
const expression = (text: string, reads: readonly string[] | null): FieldMapping => ({
  kind: 'expression',
  expression: text,
  reads,
});

function compile(fields: Record<string, FieldMapping> | null, source: object = {}, sync: object = {}) {
  const config = { name: 's', fields: fields && new Map(Object.entries(fields)), exclude: [], steps: [], where: null, ...sync };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const clock = { now: () => 0, sleep: async () => {} };
  const context = { clock, random: seededRandom(1), log, signal: new AbortController().signal };
  return compilePartial(config as unknown as SyncConfig, { schema, ...source } as unknown as Source, context);
}

const mapped = { town: { kind: 'field', field: 'City' }, name: expression('first & " " & last', ['first', 'last']) } as const;

describe('an update', () => {
  test('P8: of what the sync does not map is nothing', async () => {
    expect(await compile(mapped).update(rowOf({ formula: 'f' }), [])).toEqual({ kind: 'nothing' });
  });

  test('sets the fields of the target that follow from what it carries, and no other', async () => {
    expect(await compile(mapped).update(rowOf({ city: 'Graz' }), [])).toEqual({ kind: 'set', row: rowOf({ town: 'Graz' }) });
    const both = await compile(mapped).update(rowOf({ first: 'Ada', last: 'L' }), []);
    expect(both).toEqual({ kind: 'set', row: rowOf({ name: 'Ada L' }) });
  });

  test('P3: of half of what an expression reads, or of what is not told, is read', async () => {
    expect(await compile(mapped).update(rowOf({ first: 'Ada' }), [])).toEqual({ kind: 'read' });
    expect(await compile(mapped).update(newRow(), ['city'])).toEqual({ kind: 'read' });
  });

  test('P4: of a field that the filter looks at is read, and any is when nobody knows what it looks at', async () => {
    const known = compile(mapped, { filterFields: ['formula'] }, { where: 'x' });
    expect(await known.update(rowOf({ formula: 'f' }), [])).toEqual({ kind: 'read' });
    expect(await known.update(rowOf({ city: 'Graz' }), [])).toMatchObject({ kind: 'set' });
    const unknown = compile(mapped, { filterFields: null }, { where: 'x' });
    expect(await unknown.update(rowOf({ city: 'Graz' }), [])).toEqual({ kind: 'read' });
  });

  test('P12: of what a field follows from that events do not carry is read, where that field is mapped', async () => {
    const derived = { derivedFields: new Map([['formula', ['city']]]) };
    expect(await compile(null, derived).update(rowOf({ city: 'Graz' }), [])).toEqual({ kind: 'read' });
    expect(await compile(mapped, derived).update(rowOf({ city: 'Graz' }), [])).toMatchObject({ kind: 'set' });
  });
});

describe('a new record', () => {
  const told = rowOf({ id: '1', first: 'Ada', last: 'L', city: 'Graz' });

  test('is written from its event when that carries every field that is mapped', () => {
    expect(compile(mapped).carriesAll(told, [])).toBe(true);
    expect(compile(mapped).carriesAll(told, ['city'])).toBe(false);
    expect(compile(mapped).carriesAll(told, ['formula'])).toBe(true);
    expect(compile(null).carriesAll(told, [])).toBe(false);
  });

  test('P12: is read for an expression of which nobody can tell what it reads', () => {
    expect(compile({ any: expression('$string($)', null) }).carriesAll(told, [])).toBe(false);
  });

  test('P4: is read where a filter decides whether it belongs', () => {
    expect(compile(mapped, { filterFields: ['city'] }, { where: 'x' }).carriesAll(told, [])).toBe(false);
  });
});

describe('a step that says what it reads', () => {
  const step = { kind: 'run', name: 'run', file: 'step.ts', reads: ['City', 'first'], options: null, notes: null };
  const compiled = () => compile({ town: { kind: 'field', field: 'town' } }, {}, { steps: [step] });

  test('P8: makes a new record of its event alone, and lets everything else pass', async () => {
    expect(compiled().carriesAll(rowOf({ city: 'Graz', first: 'Ada' }), ['formula'])).toBe(true);
    expect(compiled().carriesAll(rowOf({ city: 'Graz' }), [])).toBe(false);
    expect(await compiled().update(rowOf({ last: 'L' }), [])).toEqual({ kind: 'nothing' });
  });

  test('P3: gets whole records: a change of one of its fields is read', async () => {
    expect(await compiled().update(rowOf({ city: 'Graz' }), [])).toEqual({ kind: 'read' });
  });
});
