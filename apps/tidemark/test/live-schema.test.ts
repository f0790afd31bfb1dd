import { expect, test, vi } from 'vitest';
import { LiveWorld } from './live-world.ts';

// The org's administrator changes an object while its stream goes on: nothing stops for it, and in the end no value is missing (P12).

const soon = { timeout: 90_000, interval: 20 };
/** Every field, as it is when nothing else is said. */
const everything = { fields: undefined };

class SchemaWorld {
  readonly world: LiveWorld;
  constructor(world: LiveWorld) {
    this.world = world;
  }

  addField(like: string, name: string): void {
    const { schema } = this.world.org;
    const contact = schema.object('Contact')!;
    schema.add({ ...contact, fields: [{ ...schema.field('Contact', like)!, name, label: name, custom: true }] });
  }

  removeField(name: string): void {
    this.world.org.schema.removeField('Contact', name);
  }

  async become(columns: readonly string[], rows: readonly unknown[][]): Promise<void> {
    const read = () => this.world.database.prepare('SELECT * FROM contacts ORDER BY 1').all();
    const told = () => read().map((row) => columns.map((name) => row[name] ?? null));
    await vi.waitFor(() => expect(told().sort()).toEqual([...rows].sort()), soon);
  }
}

test('a field that comes to be is filled, for the records that were told with it and for all others', async () => {
  await using world = await LiveWorld.open();
  const org = new SchemaWorld(world);
  const [kent, lane] = ['Kent', 'Lane'].map((LastName) => world.insert('Contact', { LastName, Department: 'Planet' }));
  const life = await world.start('pubsub', everything);
  await world.live(life);
  org.addField('Department', 'Power__c');
  world.org.write((t) => t.update('Contact', lane!, { Power__c: 'wit' }));
  world.org.write((t) => t.update('Contact', kent!, { Power__c: 'flight', LastName: 'El' }));
  await org.become(
    ['LastName', 'Power__c'],
    [
      ['El', 'flight'],
      ['Lane', 'wit'],
    ],
  );
  world.org.write((t) => t.update('Contact', kent!, { Power__c: 'none' }));
  await org.become(
    ['LastName', 'Power__c'],
    [
      ['El', 'none'],
      ['Lane', 'wit'],
    ],
  );
  await world.live(life);
  expect(world.warnings).toEqual([]);
  await life.stop();
});

test('a field that goes is left as it was, and what else changes keeps coming', async () => {
  await using world = await LiveWorld.open();
  const org = new SchemaWorld(world);
  const kent = world.insert('Contact', { LastName: 'Kent', Department: 'Planet' });
  const life = await world.start('pubsub', everything);
  await world.live(life);
  org.removeField('Department');
  world.org.write((t) => t.update('Contact', kent, { LastName: 'El' }));
  world.emulator.events.emitGap('Contact', 'GAP_UPDATE', [kent]);
  world.org.write((t) => t.update('Contact', kent, { FirstName: 'Kal' }));
  await org.become(['LastName', 'FirstName', 'Department'], [['El', 'Kal', 'Planet']]);
  await world.live(life);
  expect(life.engine.liveStatus()[0]!.aside).toEqual({});
  await life.stop();
});

test('a field that is renamed comes under its new name', async () => {
  await using world = await LiveWorld.open();
  const org = new SchemaWorld(world);
  const kent = world.insert('Contact', { LastName: 'Kent', Department: 'Planet' });
  const life = await world.start('pubsub', everything);
  await world.live(life);
  org.addField('Department', 'Paper__c');
  world.org.write((t) => t.update('Contact', kent, { Paper__c: 'Planet' }));
  org.removeField('Department');
  world.org.write((t) => t.update('Contact', kent, { Paper__c: 'Star' }));
  await org.become(['LastName', 'Paper__c', 'Department'], [['Kent', 'Star', 'Planet']]);
  await world.live(life);
  await life.stop();
});

test('a mapped field that goes sets its sync aside, by name, and the others of the stream go on', async () => {
  await using world = await LiveWorld.open();
  const org = new SchemaWorld(world);
  const acme = world.insert('Account', { Name: 'Acme' });
  const kent = world.insert('Contact', { LastName: 'Kent', Department: 'Planet' });
  const life = await world.start('pubsub', { fields: { id: 'Id', last: 'LastName', paper: 'Department' } });
  await world.live(life);
  org.removeField('Department');
  world.emulator.events.emitGap('Contact', 'GAP_UPDATE', [kent]);
  world.org.write((t) => t.update('Account', acme, { Name: 'Acme & Sons' }));
  await vi.waitFor(() => expect(world.copied('accounts')).toMatchObject([{ name: 'Acme & Sons' }]), soon);
  await vi.waitFor(() => {
    const { aside, state } = life.engine.liveStatus()[0]!;
    expect({ aside, state }).toEqual({ aside: { contacts: expect.stringContaining('Department') }, state: 'live' });
  }, soon);
  await life.stop();
});
