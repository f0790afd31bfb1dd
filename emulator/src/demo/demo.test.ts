// The demo org must be the same wherever it is filled, or counts and comparisons mean nothing; and as awkward as real
// data, or what passes on it proves little.
import { describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createOrg } from '../org/org.ts';
import type { Org, OrgClock, Values } from '../org/types.ts';
import { createSchema } from '../schema/schema.ts';
import { demoObjects, fillDemoOrg, fillTable } from './demo.ts';
import { traps } from './texts.ts';

const nowMs = Date.UTC(2025, 2, 1, 9, 30);
const clock: OrgClock = { now: () => nowMs, advance: () => {}, freeze: () => {}, onMove: () => () => {}, skewMs: 0 };

/** An org that keeps a copy of what was loaded. */
function watchedOrg(): { org: Org; loaded: Record<string, Values[]> } {
  const org = createOrg({ schema: createSchema({ now: clock.now }), clock });
  const loaded: Record<string, Values[]> = {};
  const watched: Org = Object.assign(Object.create(org) as Org, {
    load(object: string, rows: Iterable<Values>): number {
      const copy = [...rows].map((row) => ({ ...row }));
      loaded[object] = [...(loaded[object] ?? []), ...copy];
      return org.load(object, copy);
    },
  });
  return { org: watched, loaded };
}

function demo(seed: number, records = 300): Record<string, Values[]> {
  const { org, loaded } = watchedOrg();
  fillDemoOrg(org, { seed, records });
  org.close();
  return loaded;
}

describe('the same for the same seed', () => {
  test('the same seed gives the same rows, another seed others', () => {
    expect(demo(7)).toEqual(demo(7));
    for (const object of demoObjects) expect(demo(8)[object], object).not.toEqual(demo(7)[object]);
  });

  test('exactly as many records as asked for, parents first', () => {
    for (const records of [0, 1, 7, 1_003]) {
      const { org } = watchedOrg();
      const counts = fillDemoOrg(org, { seed: 1, records });
      expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(records);
      for (const [object, count] of Object.entries(counts)) {
        expect(org.query(`SELECT COUNT() FROM ${object}`).totalSize, object).toBe(count);
      }
      org.close();
    }
  });

  test('the usual 20,000 are a believable mix', () => {
    const { org } = watchedOrg();
    expect(fillDemoOrg(org, { seed: 1, records: 20_000 })).toEqual({
      Account: 3_000,
      Contact: 8_000,
      Lead: 4_000,
      Opportunity: 3_000,
      Case: 2_000,
    });
    org.close();
  });

  test('one object alone can be filled, again and again', () => {
    const { org } = watchedOrg();
    expect(fillTable(org, 'Contact', 25, 1)).toBe(25);
    expect(fillTable(org, 'Contact', 25, 2)).toBe(25);
    expect(org.query('SELECT COUNT() FROM Contact').totalSize).toBe(50);
    expect(() => fillTable(org, 'Organization', 1, 1)).toThrow('there is no demo data for Organization: only for Account');
    org.close();
  });

  test('an org that lost a field is filled without it', () => {
    const { org, loaded } = watchedOrg();
    org.schema.removeField('Contact', 'Languages__c');
    fillTable(org, 'Contact', 3, 1);
    expect(loaded.Contact!.map((row) => Object.keys(row).includes('Languages__c'))).toEqual([false, false, false]);
    org.close();
  });
});

describe('plausible', () => {
  const rows = demo(1, 12_000);
  const { org } = watchedOrg();
  fillDemoOrg(org, { seed: 1, records: 3_000 });

  test(`every value would be accepted by its field ${evidence('recorded', 'field lengths and precisions of describe')}`, () => {
    const schema = createSchema();
    const wrong: string[] = [];
    for (const object of demoObjects) {
      for (const row of rows[object]!) {
        for (const [name, value] of Object.entries(row)) {
          const field = schema.field(object, name)!;
          if (value === null) {
            if (!field.nillable) wrong.push(`${object}.${name} is null`);
          } else if (typeof value === 'string' && field.length > 0 && value.length > field.length)
            wrong.push(`${object}.${name}: ${value}`);
          else if (
            typeof value === 'string' &&
            field.type === 'string' &&
            (value.trim() !== value || /[\r\n\t]/.test(value) || value === '')
          )
            wrong.push(`${object}.${name}: ${JSON.stringify(value)}`);
          else if (typeof value === 'string' && !value.isWellFormed()) wrong.push(`${object}.${name} is cut inside a character`);
          else if (field.picklistValues.length > 0 && !field.picklistValues.some((entry) => entry.value === value))
            wrong.push(`${object}.${name}: ${value}`);
          else if (typeof value === 'number' && field.precision > 0 && Math.abs(value) >= 10 ** (field.precision - field.scale))
            wrong.push(`${object}.${name}: ${value}`);
          else if (typeof value === 'number' && value !== Number(value.toFixed(field.scale)))
            wrong.push(`${object}.${name}: ${value}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test(`no field is empty that describe calls never null ${evidence('documented', 'REST API Developer Guide, nillable')}`, () => {
    const empty: string[] = [];
    for (const object of [...demoObjects, 'User', 'Profile']) {
      const where = object === 'User' ? "WHERE Username LIKE 'demo.%'" : '';
      for (const [id] of org.table(`SELECT Id FROM ${object} ${where} LIMIT 20`).rows()) {
        const record = org.retrieve(object, id!, 'v62.0')!;
        for (const field of org.schema.object(object)!.fields) {
          if (!field.nillable && record[field.name] === null) empty.push(`${object}.${field.name}`);
        }
      }
    }
    expect([...new Set(empty)]).toEqual([]);
  });

  test('made and changed over the past two years, in this order, never after now', () => {
    const stamps = demoObjects.flatMap((object) =>
      rows[object]!.map((row) =>
        [row.CreatedDate, row.LastModifiedDate, row.SystemModstamp].map((stamp) => Date.parse(String(stamp))),
      ),
    );
    for (const [created, modified, stamped] of stamps) {
      expect(created! <= modified! && modified! <= stamped! && stamped! < nowMs).toBe(true);
      expect(created! >= nowMs - 732 * 86_400_000).toBe(true);
    }
    const months = new Set(stamps.map(([created]) => new Date(created!).toISOString().slice(0, 7)));
    expect(months.size).toBeGreaterThanOrEqual(24);
    expect(stamps.some(([, modified, stamped]) => modified !== stamped)).toBe(true);
  });

  test('lookups lead to records that exist', () => {
    for (const [soql, least] of [
      ['SELECT COUNT() FROM Contact WHERE AccountId != null AND Account.Name = null', 0],
      ['SELECT COUNT() FROM Opportunity WHERE AccountId != null AND Account.Name = null', 0],
      ['SELECT COUNT() FROM Case WHERE ContactId != null AND Contact.Name = null', 0],
      ['SELECT COUNT() FROM Lead WHERE OwnerId = null', 0],
    ] as const) {
      expect(org.query(soql).totalSize, soql).toBe(least);
    }
    expect(org.query('SELECT COUNT() FROM Contact WHERE AccountId != null').totalSize).toBeGreaterThan(1_000);
    expect(org.query('SELECT COUNT() FROM Contact WHERE AccountId = null').totalSize).toBeGreaterThan(10);
    const owners = new Set(rows.Contact!.map((row) => row.OwnerId));
    expect(owners.size).toBeGreaterThan(4);
  });

  test('a stage and its consequences agree', () => {
    for (const row of rows.Opportunity!) {
      expect(row.IsWon).toBe(row.StageName === 'Closed Won');
      expect(row.IsClosed).toBe(String(row.StageName).startsWith('Closed'));
      expect(row.Fiscal).toBe(`${String(row.CloseDate).slice(0, 4)} ${Math.ceil(Number(String(row.CloseDate).slice(5, 7)) / 3)}`);
    }
  });

  const texts = new Set(
    Object.values(rows).flatMap((list) => list.flatMap((row) => Object.values(row).filter((value) => typeof value === 'string'))),
  );

  test.each(Object.entries(traps))('every %s trap occurs', (_, kind) => {
    // Somewhere, in whole: awkward values do their harm as the whole value of a field.
    expect(kind.filter((text) => texts.has(text)).length).toBe(kind.length);
  });

  test.each([
    ['Greek', /\p{Script=Greek}/u],
    ['Cyrillic', /\p{Script=Cyrillic}/u],
    ['Arabic', /\p{Script=Arabic}/u],
    ['Hebrew', /\p{Script=Hebrew}/u],
    ['Chinese', /\p{Script=Han}/u],
    ['Japanese', /\p{Script=Hiragana}|\p{Script=Katakana}/u],
    ['Korean', /\p{Script=Hangul}/u],
    ['Devanagari', /\p{Script=Devanagari}/u],
    ['Latin with marks', /[äöüßéèçñåøłđş]/u],
    ['beyond the basic plane', /[\u{10000}-\u{10ffff}]/u],
  ])('names are written in %s', (_, script) => {
    const names = rows.Contact!.map((row) => `${row.FirstName} ${row.LastName}`);
    expect(names.some((name) => script.test(name))).toBe(true);
  });

  test('money has cents, large and negative amounts, zero and none', () => {
    const amounts = rows.Opportunity!.map((row) => row.Amount as number | null);
    const some = (test: (amount: number) => boolean) => amounts.some((amount) => amount !== null && test(amount));
    expect(amounts.includes(null)).toBe(true);
    expect(amounts.includes(0)).toBe(true);
    expect(some((amount) => amount < 0)).toBe(true);
    expect(some((amount) => amount > 1e12)).toBe(true);
    expect(some((amount) => !Number.isInteger(amount))).toBe(true);
    expect(rows.Account!.some((row) => Number(row.BillingLongitude) < 0)).toBe(true);
  });

  test('long texts, line breaks of both kinds, and fields left empty', () => {
    const notes = Object.values(rows).flatMap((list) => list.map((row) => row.Description as string | null | undefined));
    expect(notes.some((note) => (note?.length ?? 0) > 20_000)).toBe(true);
    const streets = rows.Contact!.map((row) => String(row.MailingStreet));
    expect(streets.some((street) => /[^\r]\n/.test(street))).toBe(true);
    expect(streets.some((street) => street.includes('\r\n'))).toBe(true);
    for (const name of ['Email', 'FirstName', 'Title', 'MailingCity', 'Birthdate']) {
      const empty = rows.Contact!.filter((row) => row[name] === null).length;
      expect(empty > 0 && empty < rows.Contact!.length, name).toBe(true);
    }
  });
});
