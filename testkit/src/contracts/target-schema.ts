import { type DatasetSchema, type FieldSchema, keyOf } from '@tidemark/core';
import { expect, test } from 'vitest';
import { contact, contactSchema, row, upsert } from './rows.ts';
import { type CreateTarget, openTarget, statuses, type TargetTraits, withTarget } from './target-fixture.ts';

/** Names that have a meaning in SQL, in JavaScript, in a database's system tables or in our own columns. */
const hostileNames: readonly string[] = [
  'select',
  'Order',
  'sp ace',
  '"quoted"',
  "it's",
  'semi;colon--',
  'new\nline',
  'back\\slash',
  '[bracket]',
  '$1',
  '?1',
  'ünï',
  '数量',
  '😀',
  '__proto__',
  'constructor',
  'toString',
  'rowid',
  'oid',
  'ctid',
  'xmin',
  '_tidemark_stamp',
  '_tidemark_deleted_at',
  'Case',
  'CASE',
  `${'long'.repeat(30)}1`,
  `${'long'.repeat(30)}2`,
];

const text = (name: string): FieldSchema => ({ name, type: 'text', nullable: true });
const withFields = (fields: readonly FieldSchema[]): DatasetSchema => ({ ...contactSchema, fields });

/** Called by `describeTargetContract`: how a dataset takes the shape of its schema. */
export function describeTargetSchemaContract(create: CreateTarget, traits: TargetTraits): void {
  const shaped = test.skipIf(traits.shapes === false);

  test('plan writes nothing, prepare does it, and then nothing is left to do', async () => {
    await using fixture = await create();
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    const planned = await target.plan();
    expect(await target.plan()).toEqual(planned);
    // By that a run knows that a checkpoint stands for rows that are not there.
    expect(planned.some(({ isNew }) => isNew)).toBe(planned.length > 0);
    expect(await target.prepare()).toEqual(planned);
    const left = await target.prepare();
    expect(left.filter(({ informational }) => informational !== true)).toEqual([]);
  });

  shaped(
    'where fields will lie is told before anything is made, each in a place of its own, and that is where they lie',
    async () => {
      await using fixture = await create();
      const schema = withFields([...contactSchema.fields, ...hostileNames.map(text)]);
      const target = await fixture.open({ schema, deletes: 'mirror' });
      if (target.places === undefined) return;
      const places = await target.places();
      expect([...places.keys()]).toEqual(schema.fields.map(({ name }) => name));
      expect(new Set(places.values()).size).toBe(places.size);
      await target.prepare();
      expect(await target.places()).toEqual(places);
      expect(await (await fixture.open({ schema, deletes: 'mirror' })).places!()).toEqual(places);
    },
  );

  shaped('a field that appears widens the dataset, and old rows stay', () =>
    withTarget(create, 'mirror', async ({ fixture, write }) => {
      await write([upsert(contact('old', { Name: 'Ada' }), 1000)]);
      const wider = withFields([...contactSchema.fields, text('Added__c')]);
      const changes = await (await fixture.open({ schema: wider, deletes: 'mirror' })).plan();
      if (traits.typed) expect(changes.map(({ newField }) => newField)).toEqual(['Added__c']);
      const second = await openTarget(fixture, 'mirror', wider);
      await second.write([upsert(row(wider, { Id: 'new', Added__c: 'filled' }), 1000)]);
      const found = await fixture.rows(wider);
      expect(found.get('old')?.Name).toBe('Ada');
      expect(found.get('new')?.Added__c).toBe('filled');
    }),
  );

  shaped('a field that disappears is reported and keeps its values', () =>
    withTarget(create, 'mirror', async ({ fixture, write }) => {
      await write([upsert(contact('a', { Name: 'Ada', Count: 7 }), 1000)]);
      const narrower = withFields(contactSchema.fields.filter(({ name }) => name !== 'Count'));
      const second = await openTarget(fixture, 'mirror', narrower);
      const changes = await second.target.plan();
      if (traits.typed) {
        expect(changes.every(({ informational }) => informational === true)).toBe(true);
        expect(changes.map(({ summary }) => summary).join()).toContain('Count');
      }
      await second.write([upsert(row(narrower, { Id: 'a', Name: 'Grace' }), 2000)]);
      const kept = (await fixture.rows(contactSchema)).get('a');
      expect(kept?.Name).toBe('Grace');
      if (traits.compares) expect(kept?.Count).toBe(7);
    }),
  );

  shaped('hostile, clashing, reserved and overlong field names each get a place of their own', async () => {
    const names = hostileNames.filter(traits.mayBeNamed ?? (() => true));
    const schema = withFields([contactSchema.fields[0]!, ...names.map(text)]);
    await using fixture = await create();
    const { write, target } = await openTarget(fixture, 'mirror', schema);
    const values = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
    const whole = row(schema, { ...values, ['__proto__']: 'value of __proto__', Id: 'a' });
    await write([upsert(whole, 1000)]);
    expect((await fixture.rows(schema)).get('a')).toEqual(whole);
    if (target.read !== undefined) expect((await target.read(['a'])).get('a')).toEqual(whole);
    // The names are found again, not made anew, when the dataset is opened again.
    const again = await openTarget(fixture, 'mirror', schema);
    expect(await again.target.plan()).toEqual([]);
    if (traits.compares) expect(statuses(await again.write([upsert(whole, 1000)]))).toEqual(['unchanged']);
  });

  shaped('a key of several fields, an integer among them, identifies a record', async () => {
    const schema: DatasetSchema = {
      name: 'Price',
      key: ['Region', 'Code'],
      fields: [text('Region'), { name: 'Code', type: 'integer', nullable: false }, text('Label')],
    };
    await using fixture = await create();
    const { write, target } = await openTarget(fixture, 'mirror', schema);
    const rows = ['it\'s "north"', '北', 'a,b'].flatMap((Region) =>
      [1, 20, -3].map((Code) => row(schema, { Region, Code, Label: `${Region}/${Code}` })),
    );
    await write(rows.map((each) => upsert(each, 1000, schema.key)));
    const found = await fixture.rows(schema);
    expect(found.size).toBe(rows.length);
    for (const each of rows) expect(found.get(keyOf(each, schema.key)!)).toEqual(each);
    const keys = rows.slice(0, 4).map((each) => keyOf(each, schema.key)!);
    if (target.read !== undefined) expect([...(await target.read(keys)).keys()].sort()).toEqual([...keys].sort());
    expect(statuses(await write(keys.map((key) => ({ op: 'delete', key, row: null, stampMs: 2000 }))))).toEqual(
      keys.map(() => 'deleted'),
    );
    expect((await fixture.rows(schema)).size).toBe(rows.length - keys.length);
  });

  test('a dataset whose only field is its key works', async () => {
    const schema = withFields([contactSchema.fields[0]!]);
    await using fixture = await create();
    const { write } = await openTarget(fixture, 'mirror', schema);
    await write([upsert(row(schema, { Id: 'a' }), 1000)]);
    if (traits.compares) expect(statuses(await write([upsert(row(schema, { Id: 'a' }), 1000)]))).toEqual(['unchanged']);
    expect([...(await fixture.rows(schema)).keys()]).toEqual(['a']);
  });
}
