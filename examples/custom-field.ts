import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of Salesforce source, as the emulator loads it. */
export interface SourceFolder extends Disposable {
  readonly path: string;
}

/** Salesforce source with one custom field. @param settings  the inside of its metadata, e.g. `<type>Text</type><length>20</length>` */
export function customField(object: string, name: string, settings: string): SourceFolder {
  const path = mkdtempSync(join(tmpdir(), 'tidemark-example-source-'));
  const fields = join(path, 'main/default/objects', object, 'fields');
  mkdirSync(fields, { recursive: true });
  const label = name.replace(/__c$/, '').replaceAll('_', ' ');
  writeFileSync(
    join(fields, `${name}.field-meta.xml`),
    `<?xml version="1.0" encoding="UTF-8"?>\n<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>${name}</fullName><label>${label}</label>${settings}</CustomField>\n`,
  );
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
