import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// Files, steps and sources of the user's own: what is wrong with them is said with the file, the line or the record, and what to
// do; nothing is half taken over, and once it is mended everything arrives.                                 (P1, P2, P10)

interface BadSource {
  readonly what: string;
  readonly from: object;
  readonly steps?: readonly object[];
  /** By name; null is a folder. */
  readonly files: Readonly<Record<string, string | Buffer | null>>;
  readonly says: RegExp;
  readonly toDo?: RegExp;
  /** Where a record became a failure: in the list of them. */
  readonly lists?: RegExp;
  /** Rows that arrive all the same. */
  readonly meanwhile?: readonly string[];
  readonly mended: Readonly<Record<string, string>>;
}

const CSV = 'id,last\na,Ann\nb,Bo\nc,Cy\n';
const LINES = '{"id":"a","last":"Ann"}\n{"id":"b","last":"Bo"}\n{"id":"c","last":"Cy"}\n';
const csv = { connection: 'files', file: 'people.csv', key: 'id' };
const lines = { connection: 'files', file: 'people.jsonl', key: 'id' };
/** A module of the user's that does as a file beside it says: a module is loaded once in a process, a file is read each time. */
const told = (name: string) => `
import { readFileSync } from 'node:fs';
const say = () => JSON.parse(readFileSync(new URL('./${name}.json', import.meta.url), 'utf8'));
`;
const SOURCE = `${told('source')}
export const fields = { id: 'text', last: 'text' };
export default async function* () {
  for (const step of say()) {
    if (step.throws !== undefined) throw new Error(step.throws);
    yield step;
  }
}
`;
const STEP = `${told('step')}
export default (records) => {
  const { throws, returns } = say();
  if (records.some((record) => record.id === throws)) throw new Error('no ' + throws + ' here');
  return returns === undefined ? records : returns;
};
`;
const custom = { run: './source.ts', key: 'id' };
const people = JSON.stringify([
  {
    records: [
      { id: 'a', last: 'Ann' },
      { id: 'b', last: 'Bo' },
    ],
  },
  { records: [{ id: 'c', last: 'Cy' }] },
]);
const stepped = { 'people.csv': CSV, 'step.ts': STEP };

const cases: readonly BadSource[] = [
  {
    what: 'a file that is not there',
    from: csv,
    files: {},
    says: /error: people\.csv: there is no such file/,
    toDo: /file and at the folder/,
    mended: { 'people.csv': CSV },
  },
  {
    what: 'a folder in place of a file',
    from: csv,
    files: { 'people.csv': null },
    says: /error: people\.csv is a folder/,
    toDo: /name a file/,
    mended: { 'people.csv': CSV },
  },
  {
    what: 'CSV in another encoding than UTF-8',
    from: csv,
    files: { 'people.csv': Buffer.from('id,last\na,Ann\nb,B\u00f6\nc,Cy\n', 'latin1') },
    says: /error: people\.csv, line 3: its bytes are no UTF-8; save the file as UTF-8/,
    toDo: /mend the line; nothing of it was taken over/,
    meanwhile: [],
    mended: { 'people.csv': CSV },
  },
  {
    what: 'a CSV line with a value too many',
    from: csv,
    files: { 'people.csv': CSV.replace('b,Bo', 'b,Bo,x') },
    says: /error: people\.csv, line 3: 3 values for 2 columns/,
    toDo: /mend the line/,
    meanwhile: [],
    mended: { 'people.csv': CSV },
  },
  {
    what: 'a quotation mark that is never closed',
    from: csv,
    files: { 'people.csv': CSV.replace('Bo', '"Bo') },
    says: /error: people\.csv, line \d+: a quotation mark is opened and never closed/,
    toDo: /mend the line/,
    meanwhile: [],
    mended: { 'people.csv': CSV },
  },
  {
    what: 'a CSV file without the column of the key',
    from: csv,
    files: { 'people.csv': CSV.replace('id', 'ident') },
    says: /error: people\.csv has no field id/,
    toDo: /it has ident, last/,
    mended: { 'people.csv': CSV },
  },
  {
    what: 'a line without a key',
    from: csv,
    files: { 'people.csv': CSV.replace('b,Bo', ',Bo') },
    says: /error: people\.csv, line 3: its key id is empty/,
    toDo: /mend the line/,
    meanwhile: [],
    mended: { 'people.csv': CSV },
  },
  {
    what: 'a line of JSON Lines that is cut off',
    from: lines,
    files: { 'people.jsonl': LINES.replace('"Bo"}', '"Bo') },
    says: /error: people\.jsonl, line 2: no JSON/,
    toDo: /mend the line/,
    meanwhile: [],
    mended: { 'people.jsonl': LINES },
  },
  {
    what: 'a line of JSON Lines that is no record',
    from: lines,
    files: { 'people.jsonl': LINES.replace('{"id":"b","last":"Bo"}', '["b","Bo"]') },
    says: /error: people\.jsonl, line 2: no JSON object/,
    toDo: /mend the line/,
    meanwhile: [],
    mended: { 'people.jsonl': LINES },
  },
  {
    what: 'a step without a default export',
    from: csv,
    steps: [{ run: './lacking.ts' }],
    files: { 'people.csv': CSV, 'lacking.ts': 'export const named = 1;\n' },
    says: /error: \S*lacking\.ts has no default export that is a function/,
    toDo: /export default \(records, context\) => records/,
    mended: { 'lacking.ts': 'export default (records) => records;\n' },
  },
  {
    what: 'a step that cannot be loaded',
    from: csv,
    steps: [{ run: './broken.ts' }],
    files: { 'people.csv': CSV, 'broken.ts': 'export default (records => records;\n' },
    says: /error: \S*broken\.ts cannot be loaded: /,
    toDo: /mend the module/,
    mended: { 'broken.ts': 'export default (records) => records;\n' },
  },
  {
    what: 'a step that throws on one record',
    from: csv,
    steps: [{ run: './step.ts' }],
    files: { ...stepped, 'step.json': '{"throws":"b"}' },
    says: /1 record has an open failure: tidemark failures list s/,
    lists: /\bb +steps\[0\] run +step_failed .*no b here/,
    meanwhile: ['a', 'c'],
    mended: { 'step.json': '{}' },
  },
  {
    what: 'a step that returns no records',
    from: csv,
    steps: [{ run: './step.ts' }],
    files: { ...stepped, 'step.json': '{"returns":7}' },
    says: /3 records have an open failure: tidemark failures list s/,
    lists: /steps\[0\] run must return an array of records/,
    meanwhile: [],
    mended: { 'step.json': '{}' },
  },
  {
    what: 'a step that returns records without their key',
    from: csv,
    steps: [{ run: './step.ts' }],
    files: { ...stepped, 'step.json': '{"returns":[{"last":"Ann"}]}' },
    says: /3 records have an open failure: tidemark failures list s/,
    lists: /steps\[0\] run returned a record without its key id/,
    meanwhile: [],
    mended: { 'step.json': '{}' },
  },
  {
    what: 'a step that returns something else among its records',
    from: csv,
    steps: [{ run: './step.ts' }],
    files: { ...stepped, 'step.json': '{"returns":[null]}' },
    says: /3 records have an open failure: tidemark failures list s/,
    lists: /steps\[0\] run returned what is no record/,
    meanwhile: [],
    mended: { 'step.json': '{}' },
  },
  {
    what: 'an expression that fails on one record',
    from: csv,
    steps: [{ map: { id: 'id', last: "= $assert(id != 'b', 'no b here') ? last : last" } }],
    files: { 'people.csv': CSV },
    says: /1 record has an open failure: tidemark failures list s/,
    lists: /\bb .*no b here/,
    meanwhile: ['a', 'c'],
    mended: { 'people.csv': CSV.replace('b,Bo', 'd,Dee') },
  },
  {
    what: 'a source without a default export',
    from: { ...custom, run: './lacking.ts' },
    files: { 'lacking.ts': 'export const named = 1;\n' },
    says: /error: \S*lacking\.ts has no default export that is a generator function/,
    toDo: /export default async function\*/,
    mended: { 'lacking.ts': SOURCE, 'source.json': people },
  },
  {
    what: 'a source that cannot be loaded',
    from: { ...custom, run: './broken.ts' },
    files: { 'broken.ts': "import 'no-such-package';\nexport default async function* () {}\n" },
    says: /error: \S*broken\.ts cannot be loaded: .*no-such-package/,
    toDo: /mend the module/,
    mended: { 'broken.ts': SOURCE, 'source.json': people },
  },
  {
    what: 'a source that is no generator',
    from: { ...custom, run: './plain.ts' },
    files: { 'plain.ts': 'export const fields = { id: "text" };\nexport default () => 7;\n' },
    says: /error: \S*plain\.ts: its default export returns nothing that yields batches/,
    toDo: /export default async function\*/,
    mended: { 'plain.ts': SOURCE, 'source.json': people },
  },
  {
    what: 'a source that yields nothing, and of which no fields are known',
    from: { ...custom, run: './nothing.ts' },
    files: { 'nothing.ts': SOURCE.replace(/export const fields.*\n/, ''), 'source.json': '[]' },
    says: /error: \S*nothing\.ts yielded no record from which its fields could be told/,
    toDo: /name them: `export const fields/,
    mended: { 'source.json': people },
  },
  {
    what: 'a source without the field of the key',
    from: { ...custom, key: 'number' },
    files: { 'source.ts': SOURCE, 'source.json': people },
    says: /error: \S*source\.ts yields no field number, which is the key/,
    toDo: /fields: id, last/,
    mended: {},
  },
  {
    what: 'a source that yields something else than batches',
    from: custom,
    files: { 'source.ts': SOURCE, 'source.json': '[{"id":"a","last":"Ann"}]' },
    says: /error: \S*source\.ts yielded a batch without `records`/,
    toDo: /yield \{ records/,
    meanwhile: [],
    mended: { 'source.json': people },
  },
  {
    what: 'a source that yields a record without its key',
    from: custom,
    files: { 'source.ts': SOURCE, 'source.json': people.replace('"id":"b",', '') },
    says: /error: \S*source\.ts yielded a record without its key id/,
    toDo: /key/,
    meanwhile: [],
    mended: { 'source.json': people },
  },
  {
    what: 'a source that yields a value that is none',
    from: custom,
    files: { 'source.ts': SOURCE, 'source.json': '[{"records":[null]}]' },
    says: /error: \S*source\.ts yielded among its records what is no record/,
    toDo: /yield \{ records/,
    meanwhile: [],
    mended: { 'source.json': people },
  },
  {
    what: 'a source that throws half-way',
    from: custom,
    files: { 'source.ts': SOURCE, 'source.json': people.replace(/\]$/, ',{"throws":"the line went dead"}]') },
    says: /error: \S*source\.ts threw: the line went dead/,
    toDo: /begins again where the last one that succeeded ended/,
    meanwhile: [],
    mended: { 'source.json': people },
  },
];

class FilePlace extends Workplace {
  /** Writes the configuration; a key of the mended file is the good one. */
  configure({ from, steps }: Pick<BadSource, 'from' | 'steps'>): void {
    const file = {
      connections: { files: { type: 'file' }, db: { type: 'sqlite', path: 'copy.db' } },
      syncs: { s: { from, to: { connection: 'db', table: 'copy' }, ...(steps === undefined ? {} : { steps }) } },
    };
    this.write('tidemark.yaml', JSON.stringify(file));
  }

  put(files: BadSource['files']): void {
    for (const [name, text] of Object.entries(files)) {
      if (text === null) mkdirSync(this.path(name));
      else this.write(name, text as string);
    }
  }

  rows(): { id: string; last: string }[] {
    const database = new DatabaseSync(this.path('copy.db'));
    try {
      const there = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'copy'").get() !== undefined;
      return there ? (database.prepare('SELECT id, last FROM copy ORDER BY id').all() as never) : [];
    } finally {
      database.close();
    }
  }
}

test.each(cases)('$what', async ({ from, steps, files, says, toDo, lists, meanwhile, mended }) => {
  using place = new FilePlace({ PATH: process.env.PATH ?? '' });
  place.put(files);
  place.configure({ from, ...(steps === undefined ? {} : { steps }) });
  const answer = await place.call('run', 's');
  const said = answer.out + answer.err.replaceAll(/^\{"level".*\n/gm, '');
  expect(said).toMatch(says);
  if (toDo !== undefined) expect(said.match(/to do: .*/g)?.join('\n') ?? said).toMatch(toDo);
  expect(answer.exitCode).toBe(1);
  if (lists !== undefined) expect((await place.call('failures', 'list', 's')).out).toMatch(lists);
  if (meanwhile !== undefined) expect(place.rows().map(({ id }) => id)).toEqual(meanwhile);

  // A module is loaded once in a process: mended, it has another name.
  const newName = (name: string) => (name.endsWith('.ts') ? `mended-${name}` : name);
  for (const name of Object.keys(mended)) if (files[name] === null) rmdirSync(place.path(name));
  place.put(Object.fromEntries(Object.entries(mended).map(([name, text]) => [newName(name), text])));
  const good = { from: { ...from, ...('run' in from ? { key: 'id' } : {}) }, ...(steps === undefined ? {} : { steps }) };
  const renamed = JSON.stringify(good).replace(/\.\/([\w-]+\.ts)/g, (path, name) =>
    name in mended ? `./${newName(name)}` : path,
  );
  place.configure(JSON.parse(renamed));
  const again = await place.call('run', 's');
  expect(again.exitCode, again.out + again.err).toBe(0);
  const third = mended['people.csv']?.includes('Dee') ? 'd Dee' : 'b Bo';
  expect(place.rows().map(({ id, last }) => `${id} ${last}`)).toEqual(['a Ann', 'c Cy', third].sort());
  expect((await place.call('verify', 's')).exitCode).toBe(0);
});

test('a source that throws half-way through what changed: its cursor is not taken over', async () => {
  using place = new FilePlace({ PATH: process.env.PATH ?? '' });
  const remember = "import { appendFileSync } from 'node:fs';";
  const module = `${remember}${told('source')}
export const fields = { id: 'text', last: 'text' };
export default async function* ({ cursor }) {
  appendFileSync(new URL('./cursors', import.meta.url), cursor + ' ');
  for (const step of say()) {
    if (step.throws !== undefined) throw new Error(step.throws);
    yield step;
  }
}
`;
  const first = { records: [{ id: 'a', last: 'Ann' }], cursor: '1' };
  const second = { records: [{ id: 'b', last: 'Bo' }], cursor: '2' };
  const third = { records: [{ id: 'c', last: 'Cy' }], cursor: '3' };
  const say = (...steps: object[]) => place.put({ 'source.json': JSON.stringify(steps) });
  place.put({ 'source.ts': module });
  place.configure({ from: custom });
  say(first);
  expect(await place.call('run', 's')).toMatchObject({ exitCode: 0 });
  say(second, { throws: 'the line went dead' }, third);
  const broken = await place.call('run', 's');
  expect(broken.out).toMatch(/s: delta run failed[\s\S]*source\.ts threw: the line went dead/);
  expect(broken.exitCode).toBe(1);
  say(second, third);
  expect(await place.call('run', 's')).toMatchObject({ exitCode: 0 });
  expect(readFileSync(place.path('cursors'), 'utf8')).toBe('null 1 1 ');
  expect(place.rows().map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});

test('a key that comes twice in a file: the later line counts, and the run says so', async () => {
  using place = new FilePlace({ PATH: process.env.PATH ?? '' });
  place.configure({ from: csv });
  place.put({ 'people.csv': `${CSV}b,Bob\n` });
  const answer = await place.call('run', 's');
  expect(answer.exitCode).toBe(0);
  expect(answer.err).toMatch(/"records":1[^\n]*key that comes again/);
  expect(place.rows().map(({ last }) => last)).toEqual(['Ann', 'Bob', 'Cy']);
  expect((await place.call('verify', 's')).out).toMatch(/no difference/);
  place.put({ 'people.csv': CSV });
  const mended = await place.call('run', 's');
  expect(mended).toMatchObject({ exitCode: 0, err: expect.not.stringContaining('key that comes again') });
  expect(place.rows().map(({ last }) => last)).toEqual(['Ann', 'Bo', 'Cy']);
});
