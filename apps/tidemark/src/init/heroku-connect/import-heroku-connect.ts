import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { answer, type Cli, type CommonOptions } from '../../cli.ts';
import { loadConnectors } from '../../connectors.ts';
import { UsageError } from '../../usage-error.ts';
import { checkOwnWork } from '../check-own-work.ts';
import { schemaPath } from '../schema-path.ts';
import { writeFiles } from '../write-files.ts';
import { convertExport } from './convert-export.ts';
import { readExport } from './read-export.ts';

interface Options extends CommonOptions {
  readonly force?: boolean;
}

/** What the variables may hold; the check of our own work asks no system. */
const SAMPLES = {
  SF_LOGIN_URL: 'https://login.salesforce.com',
  SF_CLIENT_ID: 'id',
  SF_CLIENT_SECRET: 'secret',
  DATABASE_URL: 'postgres://localhost/app',
};

/** Writes a configuration from what Heroku Connect exports, and says what differs. Contacts neither the org nor the database. */
export async function importHerokuConnect(cli: Cli, exported: string, options: Options): Promise<void> {
  const text = await readFile(exported, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${exported} cannot be read: ${error.code}`, { hint: 'heroku connect:export writes such a file' });
  });
  const file = options.config;
  const converted = convertExport(readExport(text, exported), schemaPath(file));
  const { connectors } = await loadConnectors();
  checkOwnWork(converted.text, { file, env: SAMPLES, connectors });
  const written = await writeFiles(file, converted.text, converted.connections, new Map(), options.force === true, null);
  const names = written.map((path) => relative(process.cwd(), path));
  answer(cli, options, { written: names, remarks: converted.remarks }, (paint) => {
    const lines = [`${paint('green', 'Written')}: ${names.join(', ')}`, '', 'What differs from Heroku Connect:'];
    lines.push(...converted.remarks.map((remark) => `  ${remark}`), '');
    lines.push('next: set the variables of .env.example, then tidemark schema apply, tidemark check, tidemark plan');
    return `${lines.join('\n')}\n`;
  });
}
