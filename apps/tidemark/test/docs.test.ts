import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// One page for people who do not have the tool: a diagram of each sync, its configuration, what was noted at any block.   (000-9)

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const noted = `notes: What all of it is for
connections:
  files: { type: file, folder: ., notes: On the <shared> disk }
  db: { type: sqlite, path: ./copy.db }
syncs:
  people:
    notes: Who works here
    from: { connection: files, file: in.csv, key: id, notes: "Exported by <script>alert(1)</script>" }
    steps:
      - filter: age > 17
        notes: Only adults
    fields: { id: id, name: "= first & ' ' & last" }
    to: { connection: db, table: people, notes: For the directory }
    every: 1h
    deletes: mirror
`;

async function written(yaml: string): Promise<string> {
  place.write('tidemark.yaml', yaml);
  const { exitCode, err } = await place.call('docs', '--out', place.path('docs.html'));
  expect([exitCode, err]).toEqual([0, '']);
  return readFileSync(place.path('docs.html'), 'utf8');
}

describe('the page', () => {
  test('tells every note, field, step, schedule and connection, and is text wherever the user wrote it (000-9)', async () => {
    const page = await written(noted);
    const told = ['What all of it is for', 'Who works here', 'Only adults', 'For the directory', 'On the &lt;shared&gt; disk'];
    for (const text of [...told, '= first &amp; &#39; &#39; &amp; last', 'age &gt; 17', 'every 1h', 'mirror']) {
      expect(page).toContain(text);
    }
    expect(page).toContain('Exported by &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).not.toContain('<script');
  });

  test('draws each block, and an arrow from each to the next (000-9)', async () => {
    const page = await written(noted);
    expect(page.match(/<rect /g)).toHaveLength(3);
    expect(page.match(/class="arrow"/g)).toHaveLength(2);
    expect(page).toContain('aria-label="people: files in.csv, then filter, then db people"');
  });

  test('needs nothing beside itself (000-9)', async () => {
    const page = await written(noted);
    expect(page).not.toMatch(/(?:src|href)="(?!#)/);
    expect(page).not.toMatch(/url\((?!#)|@import/);
  });

  test.each(['watermark-poll', 'delta-link', 'cdc-enrich', 'sync-pipe'])('is there for the example %s', async (name) => {
    const file = fileURLToPath(new URL(`../../../examples/${name}/tidemark.yaml`, import.meta.url));
    const yaml = readFileSync(file, 'utf8');
    const env = Object.fromEntries(
      [...yaml.matchAll(/\$\{(\w+)\}/g)].map(([, variable]) => [variable, `https://${variable}.example`]),
    );
    using other = new Workplace({ ...env, DATABASE_URL: 'postgres://me:the-password@db/app' });
    const { exitCode, out, err } = await other.call('docs', '--config', file, '--out', other.path('docs.html'), '--json');
    expect([exitCode, err]).toEqual([0, expect.any(String)]);
    const page = readFileSync(other.path('docs.html'), 'utf8');
    for (const sync of (JSON.parse(out) as { syncs: string[] }).syncs) expect(page).toContain(`<h2>${sync}</h2>`);
    expect(page).not.toContain('the-password');
  });
});

test('a page of this command is replaced, and nothing else', async () => {
  await written(noted);
  await written(noted);
  place.write('docs.html', 'my own');
  const { exitCode, err } = await place.call('docs', '--out', place.path('docs.html'));
  expect([exitCode, err]).toEqual([2, expect.stringMatching(/is there already[\s\S]*--out/)]);
  expect((await place.call('docs', '--out', place.path('nowhere/docs.html'))).err).toContain('cannot be written: ENOENT');
});
