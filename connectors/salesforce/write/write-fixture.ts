import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type Change,
  type ConnectorContext,
  type DatasetSchema,
  type DeleteRule,
  type FieldType,
  keyOf,
  NO_STAMP,
  type Row,
  type Target,
  type WriteResult,
} from '@tidemark/core';
import type { Emulator, EmulatorOptions } from '@tidemark/emulator';
import { to } from '../config.ts';
import { type TestOrg, testOrg } from '../fixture.ts';

/** What tests of writing share: an org with `Enrichment__c`, an object with a field of every kind, and targets on it. */

const fields: Readonly<Record<string, string>> = {
  Key__c: '<type>Text</type><length>255</length><externalId>true</externalId><unique>true</unique>',
  Loose__c: '<type>Text</type><length>40</length><externalId>true</externalId>',
  Text__c: '<type>Text</type><length>255</length>',
  Long__c: '<type>LongTextArea</type><length>131072</length><visibleLines>3</visibleLines>',
  Note__c: '<type>TextArea</type>',
  Rich__c: '<type>Html</type><length>32768</length><visibleLines>9</visibleLines>',
  Secret__c: '<type>EncryptedText</type><length>175</length><maskChar>asterisk</maskChar><maskType>all</maskType>',
  Flag__c: '<type>Checkbox</type><defaultValue>false</defaultValue>',
  Count__c: '<type>Number</type><precision>16</precision><scale>0</scale>',
  Amount__c: '<type>Number</type><precision>16</precision><scale>2</scale>',
  Money__c: '<type>Currency</type><precision>16</precision><scale>2</scale>',
  Share__c: '<type>Percent</type><precision>5</precision><scale>2</scale>',
  Ref__c: '<type>Text</type><length>18</length>',
  Data__c: '<type>LongTextArea</type><length>32768</length><visibleLines>3</visibleLines>',
  Blob__c: '<type>LongTextArea</type><length>32768</length><visibleLines>3</visibleLines>',
  Ratio__c: '<type>Number</type><precision>18</precision><scale>9</scale>',
  Day__c: '<type>Date</type>',
  At__c: '<type>DateTime</type>',
  Time__c: '<type>Time</type>',
  Mail__c: '<type>Email</type>',
  Site__c: '<type>Url</type>',
  Phone__c: '<type>Phone</type>',
  Stage__c: picklist('Picklist', ['new', 'old']),
  Colours__c: picklist('MultiselectPicklist', ['red', 'green', 'blue'], '<visibleLines>3</visibleLines>'),
  Account__c: lookup('Account', 'Enrichments'),
  Parent__c: lookup('Enrichment__c', 'Children'),
};

function picklist(type: string, values: readonly string[], more = ''): string {
  const value = (name: string) => `<value><fullName>${name}</fullName><default>false</default><label>${name}</label></value>`;
  const definition = `<valueSetDefinition><sorted>false</sorted>${values.map(value).join('')}</valueSetDefinition>`;
  return `<type>${type}</type>${more}<valueSet><restricted>true</restricted>${definition}</valueSet>`;
}

function lookup(to: string, name: string): string {
  return `<type>Lookup</type><referenceTo>${to}</referenceTo><relationshipLabel>${name}</relationshipLabel><relationshipName>${name}</relationshipName>`;
}

const xml = (root: string, content: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://soap.sforce.com/2006/04/metadata">${content}</${root}>\n`;

const object =
  '<label>Enrichment</label><pluralLabel>Enrichments</pluralLabel><nameField><label>Number</label><type>AutoNumber</type><displayFormat>E-{0}</displayFormat></nameField>' +
  '<deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel>';

/** An sfdx source folder with the object; whoever makes it removes it. */
export async function sourceFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-source-'));
  const put = async (path: string, content: string) => {
    const file = join(folder, 'main/default/objects', path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  await put('Enrichment__c/Enrichment__c.object-meta.xml', xml('CustomObject', object));
  for (const [name, content] of Object.entries(fields)) {
    const field = `<fullName>${name}</fullName><label>${name.replace('__c', '')}</label>${content}`;
    await put(`Enrichment__c/fields/${name}.field-meta.xml`, xml('CustomField', field));
  }
  const code =
    '<fullName>Code__c</fullName><label>Code</label><type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique>';
  await put('Account/fields/Code__c.field-meta.xml', xml('CustomField', code));
  return folder;
}

/** The rows that tests write, by the object's own field names. */
export const types: Readonly<Record<string, FieldType>> = {
  Key__c: 'text',
  Text__c: 'text',
  Long__c: 'text',
  Flag__c: 'boolean',
  Count__c: 'decimal',
  Amount__c: 'decimal',
  Money__c: 'decimal',
  Share__c: 'decimal',
  Day__c: 'date',
  At__c: 'datetime',
  Time__c: 'time',
  Mail__c: 'text',
  Site__c: 'text',
  Phone__c: 'text',
  Stage__c: 'text',
  Colours__c: 'text',
  'Account__r.Code__c': 'text',
  'Parent__r.Key__c': 'text',
  Account__c: 'text',
  Id: 'text',
};

export function schemaOf(names: readonly string[], key = names[0]!): DatasetSchema {
  return {
    name: 'enrichments',
    key: [key],
    fields: names.map((name) => ({ name, type: types[name] ?? 'text', nullable: true })),
  };
}

export interface WriteOrg extends TestOrg {
  target(options: TargetOptions, over?: Partial<ConnectorContext>): Promise<Target>;
  /** Records as the org has them, in the order of their keys. */
  records(fields: readonly string[], where?: string): Record<string, unknown>[];
  emulator: Emulator;
}

export interface TargetOptions {
  readonly names: readonly string[];
  readonly key?: string;
  readonly deletes?: DeleteRule;
  readonly object?: string;
  readonly to?: object;
  readonly memory?: NonNullable<Parameters<NonNullable<ReturnType<TestOrg['connect']>['openTarget']>>[0]['memory']>;
}

/** Takes every record away, as if none had been. */
export function emptyOrg({ emulator }: Pick<WriteOrg, 'emulator'>): void {
  emulator.org.write((transaction) => {
    const found = emulator.org.query('SELECT Id FROM Enrichment__c');
    const ids = (found.page(0, found.totalSize, 'v62.0') as { Id: string }[]).map(({ Id }) => Id);
    for (const id of ids) transaction.delete('Enrichment__c', id);
    transaction.purge('Enrichment__c', ids);
  });
}

export async function writeOrg(options: EmulatorOptions = {}): Promise<WriteOrg> {
  const source = await sourceFolder();
  const org = await testOrg({ source, ...options });
  return {
    ...org,
    target: ({ names, key, deletes = 'mirror', object = 'Enrichment__c', to: more = {}, memory }, over) =>
      org.connect(over).openTarget!(
        {
          to: to.parse({ object, ...more }),
          unit: 'enrich',
          schema: schemaOf(names, key),
          deletes,
          ...(memory === undefined ? {} : { memory }),
        },
        new AbortController().signal,
      ),
    records(selected, where = 'Key__c != null') {
      const found = org.emulator.org.query(`SELECT ${selected.join(', ')} FROM Enrichment__c WHERE ${where} ORDER BY Key__c`);
      return (found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[]).map(({ attributes: _, ...record }) => record);
    },
    async [Symbol.asyncDispose]() {
      await org[Symbol.asyncDispose]();
      await rm(source, { recursive: true });
    },
  };
}

export const upsert = (row: Row, key = 'Key__c', stampMs = NO_STAMP): Change => ({
  op: 'upsert',
  key: keyOf(row, [key])!,
  row,
  stampMs,
});
export const remove = (key: string): Change => ({ op: 'delete', key, row: null, stampMs: NO_STAMP });

export function write(
  target: Target,
  changes: readonly Change[],
  signal = new AbortController().signal,
): Promise<readonly WriteResult[]> {
  return target.write(changes, { epoch: 1, settle: async () => null }, signal);
}

export const statuses = (results: readonly WriteResult[]) => results.map(({ status }) => status);
export const reasons = (results: readonly WriteResult[]) =>
  results.map((result) => (result.status === 'rejected' ? result.reason.code : result.status));
