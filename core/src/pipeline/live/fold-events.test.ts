import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamEvent, StreamOp } from '../../model/stream.ts';
import { newRow, type Row } from '../../model/value.ts';
import { type Folded, foldEvent } from './fold-events.ts';
import type { Partial } from './partial.ts';

const rowOf = (values: Record<string, string>): Row => Object.assign(newRow(), values);

/** Takes `a` as `x` and `b` as `y`: what the source calls a field and what the target calls it must not be mixed up. */
const names: Record<string, string> = { a: 'x', b: 'y' };
const partial: Partial = {
  update(row, untold) {
    if (untold.some((name) => name in names)) return { kind: 'read' };
    const set = Object.entries(row).flatMap(([name, value]) => (name in names ? [[names[name]!, value]] : []));
    return set.length === 0 ? { kind: 'nothing' } : { kind: 'set', row: rowOf(Object.fromEntries(set)) };
  },
  carriesAll: (row, untold) => untold.length === 0 && 'a' in row && 'b' in row,
};

const event = (op: StreamOp, row: Record<string, string> | null, more: object = {}): StreamEvent => ({
  position: '',
  dataset: 'd',
  op,
  keys: ['1'],
  row: row === null ? null : rowOf(row),
  untold: [],
  transaction: 't',
  committedAtMs: 9_500,
  stampMs: row === null ? null : 9_000,
  writer: '',
  ...more,
});

async function fold(events: readonly StreamEvent[]): Promise<Folded> {
  const folded: Folded = new Map();
  for (const one of events) await foldEvent(folded, one, partial, 'id');
  return folded;
}

test('P3: changes of one record, folded, come to what they come to one after the other; where they cannot, it is read', async () => {
  const value = fc.constantFrom('0', '1', '2');
  const events = fc.array(
    fc.oneof(
      fc.record({ a: value, b: value }).map((row) => event('create', row)),
      fc.record({ a: value, b: value, c: value }, { requiredKeys: [] }).map((row) => event('update', row)),
      fc.constant(event('delete', null)),
      fc.constant(event('gap', null)),
      fc.constant(event('update', {}, { untold: ['a'] })),
    ),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(events, async (told) => {
      const pending = (await fold(told)).get('1');
      if (pending?.kind === 'read') return;
      const known = !told.some(({ op, untold }) => op === 'gap' || untold.length > 0);
      const before: Record<string, unknown> | null = { a: 'old', b: 'old' };
      let after: Record<string, unknown> | null = before;
      for (const { op, row } of told) {
        if (op === 'delete') after = null;
        else if (op === 'create') after = { a: row!.a, b: row!.b };
        else if (op === 'update' && after !== null) {
          after = { ...after, ...('a' in row! ? { a: row.a } : {}), ...('b' in row! ? { b: row.b } : {}) };
        }
      }
      if (pending === undefined) expect({ known, after }).toEqual({ known: true, after: before });
      else if (pending.kind === 'delete') expect(after).toBeNull();
      else if (pending.kind === 'put')
        expect({ a: pending.row.a, b: pending.row.b, id: pending.row.id }).toEqual({ ...after, id: '1' });
      else expect({ a: pending.row.x ?? 'old', b: pending.row.y ?? 'old' }).toEqual(after);
    }),
  );
});

test('P3: what a new record changes to is in the words of the source, as its steps expect it', async () => {
  const folded = await fold([event('create', { a: '1', b: '1' }), event('update', { b: '2' }, { stampMs: 10_000 })]);
  expect(folded.get('1')).toEqual({ kind: 'put', row: rowOf({ a: '1', b: '2', id: '1' }), stampMs: 10_000 });
});

test('P3: a delete is as old as its commit, to the second, and never newer than what follows it', async () => {
  expect((await fold([event('delete', null)])).get('1')).toEqual({ kind: 'delete', stampMs: 9_000 });
});

test('P1: a record that has to be read is still read after a delete, and one that lives on after it is', async () => {
  expect((await fold([event('gap', null), event('delete', null)])).get('1')).toEqual({ kind: 'read' });
  expect((await fold([event('delete', null), event('update', { a: '1' })])).get('1')).toEqual({ kind: 'read' });
});

test('P4: an undelete is read, because the stamp that it tells may be older than the delete', async () => {
  expect((await fold([event('undelete', { a: '1', b: '1' }, { stampMs: 1000 })])).get('1')).toEqual({ kind: 'read' });
  const both = [event('delete', null), event('undelete', { a: '1', b: '1' }, { stampMs: 1000 })];
  expect((await fold(both)).get('1')).toEqual({ kind: 'read' });
});
