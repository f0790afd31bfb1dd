import { contact, contactSchema, row, upsert } from '@tidemark/testkit';
import { describe, expect, test } from 'vitest';
import { createConnector } from './connector.ts';
import { createSourceFixture, createTargetFixture, isFerret, mongodb } from './fixture.ts';

// What people get wrong is told with its place and the remedy, and one bad record stops no other.                               (P2)

const never = AbortSignal.timeout(60_000);
const commit = { epoch: 1, settle: async () => null };

describe('in the configuration', () => {
  const connector = createConnector();
  test.each([
    ['a url of another kind', () => connector.config.parse({ url: 'postgres://u@h/app' }), /begins with mongodb:\/\//],
    ['a collection of the server', () => connector.to!.parse({ collection: 'system.users' }), /is not the name of a collection/],
    ['a collection with an operator', () => connector.to!.parse({ collection: '$cmd' }), /is not the name of a collection/],
    ['a collection of ours', () => connector.from!.parse({ collection: '_tidemark_loads' }), /keeps for itself/],
    ['a side without a collection', () => connector.side!.parse({ key: 'id' }), /collection/],
    ['a type that there is none of', () => connector.from!.parse({ collection: 'c', fields: { a: 'string' } }), /text/],
  ])('%s', (_, parse, message) => {
    expect(parse).toThrow(message);
  });
});

describe.skipIf(mongodb.missing !== null)(`in records${mongodb.missing === null ? '' : `: ${mongodb.missing}`}`, () => {
  test('a document over 16 MB is refused by itself', async () => {
    await using fixture = await createTargetFixture();
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await target.prepare();
    const large = contact('large', { Name: 'x'.repeat(17 * 1024 * 1024) });
    const results = await target.write([upsert(contact('a'), 1), upsert(large, 1), upsert(contact('z'), 1)], commit, never);
    expect(results).toMatchObject([
      { status: 'created' },
      { status: 'rejected', reason: { code: '10334', message: expect.stringContaining('16 MB') } },
      { status: 'created' },
    ]);
  });

  test('names with $ and dots: of fields they get a place, inside of JSON they are refused with the name', async () => {
    await using fixture = await createTargetFixture();
    const field = (name: string, type: 'text' | 'json') => ({ name, type, nullable: true });
    const schema = {
      ...contactSchema,
      fields: [contactSchema.fields[0]!, field('a.b', 'text'), field('$c', 'text'), field('Data', 'json')],
    };
    const target = await fixture.open({ schema, deletes: 'mirror' });
    await target.prepare();
    const change = (Id: string, values: object) => upsert(row(schema, { Id, ...values }), 1);
    const results = await target.write(
      [change('a', { 'a.b': '1', $c: '2' }), change('b', { Data: { $set: 1 } }), change('c', { Data: { x: { 'y.z': 1 } } })],
      commit,
      never,
    );
    expect(results).toMatchObject([
      { status: 'created' },
      { status: 'rejected', reason: { message: 'Data holds the name "$set", which no document can have' } },
      { status: 'rejected', reason: { message: 'Data holds the name "y.z", which no document can have' } },
    ]);
    expect(await fixture.document('a')).toMatchObject({ 'a．b': '1', '＄c': '2' });
  });

  test.runIf(isFerret)('a validator that the server has none of is refused, with what to do', async () => {
    await using fixture = await createTargetFixture();
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror', validate: true });
    await target.prepare();
    const written = target.write([upsert(contact('a'), 1)], commit, never);
    await expect(written).rejects.toThrow(/contacts gets no validator/);
    await expect(written).rejects.toMatchObject({ hint: expect.stringContaining('Leave validate: out') });
  });

  test.skipIf(isFerret)('a validator of the user refuses one document, with its reason (FerretDB has none)', async () => {
    await using fixture = await createTargetFixture();
    await fixture.db.createCollection('contacts', { validator: { $jsonSchema: { properties: { Name: { maxLength: 3 } } } } });
    const target = await fixture.open({ schema: contactSchema, deletes: 'mirror' });
    await target.prepare();
    const long = contact('b', { Name: 'long' });
    expect(await target.write([upsert(contact('a', { Name: 'Ada' }), 1), upsert(long, 1)], commit, never)).toMatchObject([
      { status: 'created' },
      { status: 'rejected', reason: { code: '121' } },
    ]);
  });

  test('a source whose watermark holds no time cannot begin at one', async () => {
    await using fixture = await createSourceFixture();
    const from = { collection: 'contacts', key: 'Id', watermark: 'Name' };
    await expect(fixture.open({ from: { ...from, fields: { Name: 'text' } }, startAtMs: 1 })).rejects.toThrow(
      'needs a watermark',
    );
  });

  test('a checkpoint of another source is read in full, and not by guess', async () => {
    await using fixture = await createSourceFixture();
    const source = await fixture.open();
    const read = async () => {
      for await (const _ of source.readDelta!('{"lsn":"0/16B3748"}', never)) throw new Error('it was read');
    };
    await expect(read()).rejects.toMatchObject({ code: 'checkpoint_expired', hint: 'Run in full once.' });
  });
});
