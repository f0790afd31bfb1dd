// Whatever users do to an org, in whatever order and with whatever going wrong: its records hold together, who applied its
// events from the first one has its records, and it never answers that something went wrong in itself. (P1, P4, P6)
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Copy, cleaned, keyOf, orgRows, replayAvro } from '../src/events/replay-copy-fixture.ts';
import { readEvent } from '../src/events/testing.ts';
import { evidence } from '../src/evidence.ts';
import type { Org } from '../src/org/types.ts';
import { objects, operation, uniqueFields } from './operations.ts';
import { OrgWorld, type Tally } from './org-world.ts';

/**
 * A copy of the org's records, made from the events alone; where an event says that values are missing (a gap, an
 * overflow), from what the org says now, as a subscriber does.
 *
 * Left out is what no change event carries: `IsDeleted` and the records in the recycle bin, `SystemModstamp` (the events
 * have their own clock), formulas and values that Salesforce derives. All else that the events' schemas name is compared,
 * audit fields and owners too.
 */
function replay({ emulator }: OrgWorld, rows: Copy): Copy {
  const copy: Copy = new Map();
  /** Records, and `Account *` for all of an object, whose values some event did not tell. */
  const gaps = new Set<string>();
  /** What was told whole after an overflow of its object. */
  const whole = new Set<string>();
  const seen = new Set<string>();
  const channel = emulator.events.channel('/data/ChangeEvents')!;
  for (const event of channel.read(channel.resolve('earliest'), 1_000_000, emulator.org.adminUserId).events) {
    const read = readEvent(emulator.events, event);
    const { header } = read;
    // Delivered twice; not a second change.
    const once = `${header.transactionKey} ${header.sequenceNumber} ${header.changeType} ${header.entityName}`;
    if (seen.has(once)) continue;
    seen.add(once);
    const { entityName, changeType, recordIds } = header;
    if (changeType === 'GAP_OVERFLOW') {
      gaps.add(keyOf(entityName, '*'));
      for (const key of [...whole]) if (key.startsWith(`${entityName} `)) whole.delete(key);
      continue;
    }
    for (const id of recordIds) {
      const key = keyOf(entityName, id);
      if (changeType.startsWith('GAP_')) {
        gaps.add(key);
        whole.delete(key);
      } else if (changeType !== 'UPDATE') {
        gaps.delete(key);
        whole.add(key);
        replayAvro(copy, { ...read, header: { ...header, recordIds: [id] } });
      } else if (!gaps.has(key) && (!gaps.has(keyOf(entityName, '*')) || whole.has(key))) {
        replayAvro(copy, { ...read, header: { ...header, recordIds: [id] } });
      }
    }
  }
  const missing = (key: string) => gaps.has(key) || (gaps.has(`${key.split(' ')[0]} *`) && !whole.has(key));
  for (const key of [...copy.keys()]) if (missing(key)) copy.delete(key);
  for (const [key, row] of rows) if (missing(key)) copy.set(key, row);
  return cleaned(copy);
}

type Row = Record<string, unknown> & { Id: string; IsDeleted: boolean };

function allRows(org: Org, object: string): Row[] {
  const fields = org.schema.object(object)!.fields.map(({ name }) => name);
  const found = org.query(`SELECT ${fields.join(', ')} FROM ${object}`, { all: true });
  return found.page(0, found.totalSize, 'v62.0') as Row[];
}

function checkRecords({ org }: OrgWorld['emulator']): void {
  const rows = new Map(objects.map((object) => [object as string, allRows(org, object)]));
  const alive = new Set([...rows.values()].flat().flatMap(({ Id, IsDeleted }) => (IsDeleted ? [] : [Id])));
  for (const object of objects) {
    const unique = uniqueFields[object];
    const living = rows.get(object)!.filter(({ IsDeleted }) => !IsDeleted);
    if (unique) {
      const keys = living.flatMap(({ [unique]: key }) => (key === null ? [] : [String(key).toLowerCase()]));
      expect(keys.length, `${object}.${unique} ${keys}`).toBe(new Set(keys).size);
    }
    for (const field of org.schema.object(object)!.fields) {
      if (field.type !== 'reference' || !field.referenceTo.some((to) => rows.has(to))) continue;
      // What is in the recycle bin may point at what is gone for good; it loses that when it comes back.
      for (const row of living) {
        const to = row[field.name];
        if (to !== null && to !== undefined) {
          expect(alive.has(to as string), `${object} ${row.Id} ${field.name} ${to}`).toBe(true);
        }
      }
    }
  }
  const lines = rows.get('Line__c')!.filter(({ IsDeleted }) => !IsDeleted);
  for (const { Id, IsDeleted, Lines__c } of rows.get('Thing__c')!) {
    if (!IsDeleted) expect(Lines__c ?? 0, `Lines__c of ${Id}`).toBe(lines.filter(({ Moving__c }) => Moving__c === Id).length);
  }
}

function checkLimits({ limits }: OrgWorld['emulator']): void {
  for (const [name, limit] of Object.entries(limits)) expect(limit.used(), name).toBeGreaterThanOrEqual(0);
}

/** Every record can be written by somebody who just came. */
function checkLocks({ org }: OrgWorld['emulator']): void {
  const newcomer = org.begin();
  for (const object of objects) {
    for (const { Id, IsDeleted } of allRows(org, object)) {
      if (IsDeleted) newcomer.purge(object, [Id]);
      // Locked even though it changes nothing.
      else newcomer.update(object, Id, {});
    }
  }
  newcomer.rollback();
}

test(`any operations of any users leave a whole org, and its events tell of all of it ${evidence('documented', 'Change Data Capture Developer Guide, Replicate Data; SOAP API Developer Guide, Data Model')}`, async () => {
  const tally: Tally = new Map();
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 60, size: 'max' }),
      fc.constantFrom(100_000, 100_000, 40),
      async (operations, requestsMax) => {
        const world = await OrgWorld.start(tally, requestsMax);
        try {
          for (const one of operations) {
            await world.run(one);
            checkLimits(world.emulator);
          }
          world.settle();
          checkRecords(world.emulator);
          const rows = orgRows({ org: world.emulator.org, bus: world.emulator.events }, objects).avro;
          expect(replay(world, rows)).toEqual(rows);
          checkLocks(world.emulator);
        } finally {
          await world.emulator.close();
        }
      },
    ),
    { numRuns: 60 },
  );
  // Otherwise the test would not have met what it is for.
  for (const what of [
    'done',
    'refused',
    'failed',
    'broken',
    'signed out',
    'job JobComplete',
    'done by backdoor',
    'refused open',
  ]) {
    expect(tally.get(what) ?? 0, what).toBeGreaterThan(0);
  }
});
