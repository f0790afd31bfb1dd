import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { ComponentSet, MetadataConverter, type SourceComponent } from '@salesforce/source-deploy-retrieve';
import { type Emulator, evidence, startEmulator } from '@tidemark/emulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// What customers install can hardly be taken back: the project is one that Salesforce's own library reads whole, an org takes over,
// and that nobody's edits get lost in (001-8).

let place: Workplace;
beforeAll(() => {
  place = new Workplace();
});
afterAll(() => place[Symbol.dispose]());

const auth = { flow: 'client-credentials', clientId: 'id', clientSecret: '$' + '{SF_SECRET}' };
const nowhere = { type: 'salesforce', loginUrl: 'http://localhost:1', auth };

/** Every kind of thing that a package holds. */
const whole = {
  connections: { crm: nowhere, db: { type: 'sqlite', path: './app.db' } },
  syncs: {
    orders: {
      from: { connection: 'db', table: 'orders' },
      fields: { Order_No__c: 'no', Account__c: 'account', 'Area__r.Code__c': 'area', Total__c: 'total', Name: 'title' },
      to: { connection: 'crm', object: 'Order_Copy__c', key: 'Order_No__c' },
    },
    accounts: {
      from: { connection: 'crm', object: 'Account' },
      fields: { name: 'Name', city: 'BillingCity', owner: 'Owner.Name', tier: 'Tier__c' },
      where: "Website != null AND Last_Order__c > LAST_N_DAYS:30 AND Type = 'Customer'",
      to: { connection: 'db', table: 'accounts' },
      live: true,
    },
    contacts: {
      between: [
        { connection: 'crm', object: 'Contact', link: 'App_Id__c' },
        { connection: 'db', table: 'people' },
      ],
      fields: { mail: 'Email', score: { field: 'Score__c', to: 'crm' } },
    },
    shipped: {
      from: { connection: 'db', table: 'shipments' },
      fields: { No__c: 'no', At__c: 'at' },
      to: { connection: 'crm', topic: '/event/Shipped__e' },
    },
    asked: {
      from: { connection: 'crm', topic: '/event/Ask__e' },
      fields: { id: 'Id__c' },
      to: { connection: 'db', table: 'asked' },
    },
  },
  package: {
    name: 'Acme Orders',
    objects: {
      Order_Copy__c: {
        label: 'Order',
        fields: {
          Order_No__c: 'Text(20)',
          Account__c: { type: 'Lookup', object: 'Account', required: true },
          Area__c: 'Lookup(Area__c)',
          Total__c: 'Currency(16, 2)',
          State__c: { type: 'Picklist', values: ['New', 'R & D'] },
          Paid__c: 'Checkbox',
          Remarks__c: 'LongTextArea',
        },
      },
      Contact: { fields: { App_Id__c: 'Text(36)', Score__c: 'Number(5, 1)' } },
    },
    events: {
      Shipped__e: { fields: { No__c: 'Text(20)', At__c: 'DateTime' }, publish: 'immediately' },
      Ask__e: { fields: { Id__c: 'Text(18)', Big__c: 'Checkbox' } },
    },
    flows: {
      Ask: {
        object: 'Account',
        when: '(ISNEW() || ISCHANGED(Website) /* Website */) && Name <> "Website"',
        publish: 'Ask__e',
        fields: { Id__c: 'Id', Big__c: '= AnnualRevenue > 5' },
      },
    },
  },
};

function configure(config: object, name = 'tidemark.yaml'): string {
  place.write(name, JSON.stringify(config));
  place.env.SF_SECRET = 'secret';
  return place.path(name);
}

async function written(config: object, out: string, ...flags: string[]): Promise<string> {
  const {
    exitCode,
    out: said,
    err,
  } = await place.call('package', '--config', configure(config, `${out}.yaml`), '--out', place.path(out), ...flags);
  expect(exitCode === 0 ? '' : said + err).toBe('');
  return place.path(out);
}

const read = (out: string, path: string) => readFileSync(`${place.path(out)}/${path}`, 'utf8');
const packaged = 'force-app/main/default';
/** Text of an element, wherever it is. */
const all = (xml: string, element: string) =>
  [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map(([, text]) => text);

describe("Salesforce's own library", () => {
  test('reads every file as a component, writes the manifest, and converts it for a deployment (001-8)', async () => {
    const folder = await written(whole, 'whole');
    const set = ComponentSet.fromSource([`${folder}/force-app`, `${folder}/org-access`]);
    const named = set
      .getSourceComponents()
      .toArray()
      .map(({ type, fullName }: SourceComponent) => `${type.name}:${fullName}`);
    expect(named.toSorted()).toEqual([
      'CustomField:Contact.App_Id__c',
      'CustomField:Contact.Score__c',
      'CustomObject:Ask__e',
      'CustomObject:Order_Copy__c',
      'CustomObject:Shipped__e',
      'Flow:Ask',
      'Layout:Order_Copy__c-Order Layout',
      'PermissionSet:Acme_Orders',
      'PermissionSet:Acme_Orders_Org',
      'PlatformEventChannelMember:ChangeEvents_AccountChangeEvent',
    ]);
    const { Package } = await set.getObject();
    expect(Package.types.map(({ name }) => name).toSorted()).toEqual([
      ...['CustomField', 'CustomObject', 'Flow', 'Layout', 'PermissionSet', 'PlatformEventChannelMember'],
    ]);
    expect(await set.getPackageXml()).toContain('<members>Order_Copy__c-Order Layout</members>');
    const { packagePath } = await new MetadataConverter().convert(set, 'metadata', {
      type: 'directory',
      outputDirectory: place.path('converted'),
      genUniqueDir: false,
    });
    const object = readFileSync(`${packagePath}/objects/Order_Copy__c.object`, 'utf8');
    expect(all(object, 'fullName')).toEqual(
      expect.arrayContaining(['Account__c', 'Area__c', 'Order_No__c', 'Paid__c', 'Remarks__c', 'State__c', 'Total__c']),
    );
    expect(readFileSync(`${packagePath}/package.xml`, 'utf8')).toContain('<members>ChangeEvents_AccountChangeEvent</members>');
  });
});

describe('what the project holds', () => {
  test('fields by which records are found are unique external ids; names and values are text and no markup', async () => {
    await written(whole, 'fields');
    const field = (name: string) => read('fields', `${packaged}/objects/${name}.field-meta.xml`);
    expect(field('Order_Copy__c/fields/Order_No__c')).toMatch(/<externalId>true<[\s\S]*<length>20<[\s\S]*<unique>true</);
    expect(field('Contact/fields/App_Id__c')).toMatch(/<externalId>true<[\s\S]*<unique>true</);
    expect(field('Order_Copy__c/fields/State__c')).toContain('<fullName>R &amp; D</fullName>');
    expect(field('Order_Copy__c/fields/Account__c')).toMatch(
      /<deleteConstraint>Restrict<[\s\S]*<referenceTo>Account<[\s\S]*<required>true</,
    );
    expect(read('fields', `${packaged}/objects/Order_Copy__c/Order_Copy__c.object-meta.xml`)).toContain('<type>Text</type>');
    expect(read('fields', `${packaged}/objects/Shipped__e/Shipped__e.object-meta.xml`)).toContain('PublishImmediately');
  });

  test('a Flow asks for fields of its record, and for nothing in texts and remarks', async () => {
    await written(whole, 'flow');
    const flow = read('flow', `${packaged}/flows/Ask.flow-meta.xml`);
    expect(all(flow, 'filterFormula')).toEqual([
      '(ISNEW() || ISCHANGED({!$Record.Website}) /* Website */) &amp;&amp; {!$Record.Name} &lt;&gt; &quot;Website&quot;',
    ]);
    expect(all(flow, 'expression')).toEqual(['{!$Record.AnnualRevenue} &gt; 5']);
    expect(all(flow, 'elementReference')).toEqual(['$Record.Id', 'Value_of_Big']);
    expect(all(flow, 'dataType')).toEqual(['Boolean']);
  });

  test('permission sets hold every field that syncs touch: what the package brings in one, the rest in the other (001-8)', async () => {
    await written(whole, 'sets');
    const set = (path: string) => read('sets', `${path}.permissionset-meta.xml`);
    const own = set(`${packaged}/permissionsets/Acme_Orders`);
    const rest = set('org-access/main/default/permissionsets/Acme_Orders_Org');
    expect(all(own, 'object')).toEqual(['Ask__e', 'Order_Copy__c', 'Shipped__e']);
    // A required field is everybody's, and one that is named all the same keeps the set from being deployed.
    expect(all(own, 'field')).toEqual([
      'Contact.App_Id__c',
      'Contact.Score__c',
      ...['Area__c', 'Order_No__c', 'Paid__c', 'Remarks__c', 'State__c', 'Total__c'].map((name) => `Order_Copy__c.${name}`),
    ]);
    // Owner.Name is a user's; a city is seen by whoever sees the address.
    expect(all(rest, 'field')).toEqual([
      ...[
        'Account.BillingAddress',
        'Account.Last_Order__c',
        'Account.Tier__c',
        'Account.Type',
        'Account.Website',
        'Area__c.Code__c',
        'Contact.Email',
      ],
    ]);
    expect(all(rest, 'object')).toEqual(['Account', 'Area__c', 'Contact']);
    expect(all(rest, 'viewAllRecords')).toEqual(['true', 'true', 'true']);
    expect(rest).toContain('<name>ApiEnabled</name>');
  });

  test('names of a managed package stand without its namespace, and what is of another one is not made anew', async () => {
    const { objects: _, ...rest } = whole.package;
    const fields = { acme__No__c: 'no', other__Size__c: 'size' };
    const to = { connection: 'crm', object: 'acme__Thing__c', key: 'acme__No__c' };
    const syncs = { things: { from: { connection: 'db', table: 't' }, fields, to } };
    const objects = { acme__Thing__c: { fields: { acme__No__c: 'Number(9, 0)' } } };
    await written({ ...whole, syncs, package: { ...rest, namespace: 'acme', objects } }, 'managed');
    expect(read('managed', `${packaged}/objects/Thing__c/fields/No__c.field-meta.xml`)).toContain('<fullName>No__c</fullName>');
    expect(all(read('managed', `${packaged}/permissionsets/Acme_Orders.permissionset-meta.xml`), 'field')).toEqual([
      'Thing__c.No__c',
    ]);
    expect(
      all(read('managed', 'org-access/main/default/permissionsets/Acme_Orders_Org.permissionset-meta.xml'), 'field'),
    ).toEqual(['acme__Thing__c.other__Size__c']);
    expect(JSON.parse(read('managed', 'sfdx-project.json'))).toMatchObject({ namespace: 'acme' });
  });

  test('a channel of the org is made with its members', async () => {
    const channel = '/data/Sales__chn';
    const folder = await written({ ...whole, connections: { ...whole.connections, crm: { ...nowhere, channel } } }, 'channel');
    const set = ComponentSet.fromSource(`${folder}/force-app/main/default`);
    expect(set.has({ type: 'PlatformEventChannel', fullName: 'Sales__chn' })).toBe(true);
    expect(set.has({ type: 'PlatformEventChannelMember', fullName: 'Sales_chn_AccountChangeEvent' })).toBe(true);
  });

  test('one package is for all orgs of a connection, whether any is connected or not', async () => {
    place.env.TIDEMARK_KEY = randomBytes(32).toString('base64');
    const customers = {
      ...{ type: 'salesforce', orgs: true },
      auth: { ...auth, flow: 'web-server', clientId: 'id' },
    };
    const rate = {
      ...{ forEach: 'org', from: { connection: 'db', table: 'rates' }, fields: { No__c: 'no', Rate__c: 'rate' } },
      to: { connection: 'crm', object: 'Rate__c', key: 'No__c' },
    };
    const objects = { Rate__c: { fields: { No__c: 'Text(9)', Rate__c: 'Percent' } } };
    await written({ connections: { ...whole.connections, crm: customers }, syncs: { rate }, package: { objects } }, 'orgs');
    const own = read('orgs', `${packaged}/permissionsets/Tidemark.permissionset-meta.xml`);
    expect(all(own, 'field')).toEqual(['Rate__c.No__c', 'Rate__c.Rate__c']);
  });
});

describe('writing it again', () => {
  test('gives the same bytes; what somebody has changed stays, is told, and goes by --force alone', async () => {
    await written(whole, 'again');
    const path = `${place.path('again')}/${packaged}/objects/Ask__e/Ask__e.object-meta.xml`;
    const settings = `${place.path('again')}/sfdx-project.json`;
    const before = readFileSync(path, 'utf8');
    await written(whole, 'again');
    writeFileSync(path, before.replace('<label>Ask</label>', '<label>Asked by us</label>'));
    writeFileSync(settings, '{"packageAliases":{"Acme Orders":"0Ho"}}');
    const refused = await place.call('package', '--config', place.path('again.yaml'), '--out', place.path('again'));
    expect(refused.exitCode).toBe(2);
    expect(refused.err).toContain(`${path} is there already, and differs`);
    expect(refused.err).toMatch(/- <label>Asked by us<\/label>\s+\+ <label>Ask<\/label>/);
    expect(refused.err).toContain('--force');
    expect(readFileSync(path, 'utf8')).toContain('Asked by us');
    await written(whole, 'again', '--force');
    expect(readFileSync(path, 'utf8')).toBe(before);
    // The ids of a package are kept there.
    expect(readFileSync(settings, 'utf8')).toContain('0Ho');
  });

  test('a type that nobody tells is asked for, and none is guessed: nothing is written', async () => {
    const { package: _, ...silent } = whole;
    const { exitCode, err } = await place.call(
      'package',
      '--config',
      configure(silent, 'silent.yaml'),
      '--out',
      place.path('silent'),
    );
    expect(exitCode).toBe(2);
    expect(err).toMatch(/package\.objects\.Order_Copy__c\.fields\.Total__c: its type is told neither/);
    expect(err).toContain('write e.g. Total__c: Text(80)');
    expect(() => read('silent', 'sfdx-project.json')).toThrow('ENOENT');
  });

  test('what a source tells need not be said: fields, types, and what identifies a record', async () => {
    const fields = { No__c: { type: 'text', maxLength: 12 }, Count__c: 'integer', Sold__c: 'boolean', At__c: 'datetime' };
    const hook = { auth: { type: 'bearer', token: '$' + '{TOKEN}' }, key: 'No__c', fields };
    place.env.TOKEN = 'a token of sixteen characters'.replaceAll(' ', '-');
    const parts = { from: { hook }, to: { connection: 'crm', object: 'Part__c' } };
    await written({ connections: whole.connections, syncs: { parts } }, 'parts');
    const field = (name: string) => read('parts', `${packaged}/objects/Part__c/fields/${name}.field-meta.xml`);
    expect(field('No__c')).toMatch(/<externalId>true<[\s\S]*<length>12<[\s\S]*<unique>true</);
    expect(field('Count__c')).toMatch(/<precision>18<[\s\S]*<scale>0<[\s\S]*<type>Number</);
    expect(field('Sold__c')).toContain('<type>Checkbox</type>');
    expect(field('At__c')).toContain('<type>DateTime</type>');
  });

  test('an org is meant, and only one', async () => {
    const two = { ...whole, connections: { ...whole.connections, other: nowhere } };
    const { exitCode, err } = await place.call('package', '--config', configure(two, 'two.yaml'));
    expect([exitCode, err]).toEqual([2, expect.stringMatching(/several orgs: crm, other[\s\S]*package: \{ connection: crm \}/)]);
  });
});

describe(`an org with all of it ${evidence('documented', 'Metadata API Developer Guide, Flow, PermissionSet; REST API Developer Guide, sObject Describe')}`, () => {
  let org: Emulator;
  beforeAll(async () => {
    const { orders } = whole.syncs;
    const { Order_Copy__c: copy, ...others } = whole.package.objects;
    // No org has areas.
    const config = {
      ...whole,
      syncs: { ...whole.syncs, orders: { ...orders, fields: { Order_No__c: 'no', Total__c: 'total' } } },
      package: {
        ...whole.package,
        objects: { ...others, Order_Copy__c: { fields: { ...copy.fields, Area__c: 'Lookup(Account)' } } },
      },
    };
    const folder = await written(config, 'loaded');
    org = await startEmulator({ source: folder, records: 0 });
  });
  afterAll(() => org.close());

  test('takes it over whole; its Flow publishes for a record that meets the criteria (001-8)', () => {
    expect(org.sourceNotes.filter((note) => !/Tier__c|Last_Order__c/.test(note))).toEqual([]);
    expect(org.events.selectedForChangeEvents()).toEqual(['Account']);
    const channel = org.events.channel('/event/Ask__e')!;
    const before = channel.resolve('latest');
    const id = org.org.write((tx) => tx.insert('Account', { Name: 'a', AnnualRevenue: 9 })).id!;
    org.org.write((tx) => tx.insert('Account', { Name: 'Website' }));
    org.org.write((tx) => tx.update('Account', id, { Phone: '1' }));
    org.org.write((tx) => tx.update('Account', id, { Website: 'https://a.example', AnnualRevenue: 1 }));
    const { events } = channel.read(before, 10, org.org.adminUserId);
    expect(events.map((event) => event.json())).toMatchObject([
      { Id__c: id, Big__c: true },
      { Id__c: id, Big__c: false },
    ]);
  });

  test('tells the types that the configuration leaves open', async () => {
    const { loginUrl, clientId, clientSecret } = org.credentials;
    place.env.SF_SECRET = clientSecret;
    const crm = { ...nowhere, loginUrl, auth: { ...auth, clientId } };
    const said = { ...whole.package, objects: {}, events: {} };
    const orders = { ...whole.syncs.orders, fields: { Order_No__c: 'no', Total__c: 'total', Account__c: 'account' } };
    const config = { ...whole, connections: { ...whole.connections, crm }, syncs: { ...whole.syncs, orders }, package: said };
    place.write('asked.yaml', JSON.stringify(config));
    const { exitCode, out, err } = await place.call(
      'package',
      '--config',
      place.path('asked.yaml'),
      '--out',
      place.path('asked'),
    );
    expect(exitCode === 0 ? '' : out + err).toBe('');
    for (const path of [
      'Order_Copy__c/fields/Total__c',
      'Order_Copy__c/fields/Order_No__c',
      'Contact/fields/Score__c',
      'Ask__e/fields/Big__c',
    ]) {
      const file = `${packaged}/objects/${path}.field-meta.xml`;
      expect(read('asked', file)).toBe(read('loaded', file));
    }
  });
});
