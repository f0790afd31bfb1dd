import { type FieldValue, type Lookup, type LookupSpec, type Row, SyncError, textOf } from '@tidemark/core';
import { describe, expect, test } from 'vitest';

/** A record of the dataset in which is looked: fields `Name` and `Phone`, both text. */
export interface LookupRecord {
  readonly name: string;
  readonly phone: string | null;
}

/** One fresh, empty dataset in which records are found by their name. */
export interface LookupFixture extends AsyncDisposable {
  open(spec: Pick<LookupSpec, 'key' | 'fields'>): Promise<Lookup>;
  put(records: readonly LookupRecord[]): Promise<void>;
  /** In place of `Name` and `Phone`, as the system calls them. */
  readonly nameField?: string;
  readonly phoneField?: string;
}

export interface LookupTraits {
  /** Values that differ in capitals only are one. */
  readonly foldsCase?: boolean;
}

const never = new AbortController().signal;

/** What every lookup promises, in the words of the `Lookup` interface. */
export function describeLookupContract(
  name: string,
  create: () => Promise<LookupFixture>,
  { foldsCase = false }: LookupTraits = {},
): void {
  describe(`${name} keeps the lookup contract`, () => {
    async function withRecords(records: readonly LookupRecord[], body: (found: Finder) => Promise<void>): Promise<void> {
      await using fixture = await create();
      await fixture.put(records);
      const { nameField = 'Name', phoneField = 'Phone' } = fixture;
      await using lookup = await fixture.open({ key: nameField, fields: [phoneField] });
      expect(lookup.valuesMax).toBeGreaterThan(0);
      await body(async (values) => {
        const found = await lookup.find(values, never);
        return values.map((value) => {
          const rows = found.get(textOf(value)!) ?? [];
          if ('refused' in rows) throw new Error(rows.refused.message);
          return rows.map((row: Row) => row[phoneField] ?? null);
        });
      });
    }

    test('each value gets the records that have it, and no other', () =>
      withRecords(
        [
          { name: 'Acme', phone: '1' },
          { name: 'Bolt', phone: null },
          { name: 'Core', phone: '3' },
        ],
        async (find) => {
          expect(await find(['Core', 'nobody', 'Acme', 'Bolt'])).toEqual([['3'], [], ['1'], [null]]);
          expect(await find(['nobody'])).toEqual([[]]);
        },
      ));

    test('several records of one value come in an order that stays', () =>
      withRecords(
        ['3', '1', '2'].map((phone) => ({ name: 'Acme', phone })),
        async (find) => {
          const [first] = await find(['Acme']);
          expect([...first!].sort()).toEqual(['1', '2', '3']);
          expect(await find(['Bolt', 'Acme'])).toEqual([[], first]);
        },
      ));

    test('capitals count as they do in the system itself', () =>
      withRecords([{ name: 'Acme', phone: '1' }], async (find) => {
        expect(await find(['ACME', 'Acme'])).toEqual([foldsCase ? ['1'] : [], ['1']]);
      }));

    test('hostile values find what they name and nothing else', () => {
      const names = ["it's", 'a"b', 'back\\slash', 'per%cent', 'under_score', "' OR 1=1 --", '北', 'new\nline'];
      return withRecords(
        names.map((each, i) => ({ name: each, phone: String(i) })),
        async (find) => {
          expect(await find(names)).toEqual(names.map((_, i) => [String(i)]));
          expect(await find(['%', '_', 'nul\u0000', 'x'.repeat(300), 7, true])).toEqual([[], [], [], [], [], []]);
        },
      );
    });

    test('a field that there is not is named', async () => {
      await using fixture = await create();
      await fixture.put([{ name: 'Acme', phone: '1' }]);
      const { nameField = 'Name', phoneField = 'Phone' } = fixture;
      for (const spec of [
        { key: 'Nonsense', fields: [phoneField] },
        { key: nameField, fields: ['Nonsense'] },
      ]) {
        const error = await fixture.open(spec).then(
          () => null,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(SyncError);
        expect((error as Error).message).toContain('Nonsense');
      }
    });
  });
}

type Finder = (values: readonly FieldValue[]) => Promise<readonly (readonly FieldValue[])[]>;
