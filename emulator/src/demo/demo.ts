import type { Org, Values } from '../org/types.ts';
import { loadDemoUsers } from './demo-users.ts';
import { Random } from './random.ts';
import { accountRow } from './rows/account.ts';
import { caseRow } from './rows/case.ts';
import { contactRow } from './rows/contact.ts';
import { leadRow } from './rows/lead.ts';
import { opportunityRow } from './rows/opportunity.ts';
import type { MakeRow, RowSource } from './rows/source.ts';
import { demoPeriod } from './times.ts';

/** Parents come before their children. The shares are those of a company that sells to other companies. */
const objects: Readonly<Record<string, { share: number; makeRow: MakeRow }>> = {
  Account: { share: 0.15, makeRow: accountRow },
  Contact: { share: 0.4, makeRow: contactRow },
  Lead: { share: 0.2, makeRow: leadRow },
  Opportunity: { share: 0.15, makeRow: opportunityRow },
  Case: { share: 0.1, makeRow: caseRow },
};

/** Objects that can be filled. */
export const demoObjects: readonly string[] = Object.keys(objects);

/** As many parents as children choose from: enough to look natural, few enough to hold in memory beside any org. */
const parentsMax = 50_000;

/**
 * Fills an org with `records` plausible records over five objects: names in many scripts, awkward texts, money, dates,
 * valid lookups, and changes spread over the two years before today. The same seed, count and day give the same org.
 * @returns how many records each object got; together `records`.
 */
export function fillDemoOrg(org: Org, options: { seed: number; records: number }): Record<string, number> {
  loadDemoUsers(org);
  const counts: Record<string, number> = {};
  let left = options.records;
  for (const [name, { share }] of Object.entries(objects).reverse()) {
    // Rounding falls to the accounts: without them nothing has a parent.
    const count = name === 'Account' ? left : Math.floor(options.records * share);
    counts[name] = count;
    left -= count;
  }
  for (const name of demoObjects) fillTable(org, name, counts[name]!, options.seed);
  return Object.fromEntries(demoObjects.map((name) => [name, counts[name]!]));
}

/**
 * Adds `count` records to one object. Lookups point at records that the org holds already, and are null without any.
 * @returns how many were added.
 */
export function fillTable(org: Org, object: string, count: number, seed: number): number {
  const maker = objects[object];
  if (!maker) throw new Error(`there is no demo data for ${object}: only for ${demoObjects.join(', ')}`);
  const source: RowSource = {
    random: new Random(seed, object),
    period: demoPeriod(org.clock.now()),
    ownerIds: column(org, "SELECT Id FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Id LIMIT 100"),
    accountIds: object === 'Account' ? [] : column(org, `SELECT Id FROM Account ORDER BY Id LIMIT ${parentsMax}`),
    contacts: object === 'Case' ? contacts(org) : [],
  };
  return org.load(object, known(org, object, rows(source, maker.makeRow, count, existing(org, object))));
}

function* rows(source: RowSource, makeRow: MakeRow, count: number, first: number): Generator<Values> {
  for (let index = first; index < first + count; index++) yield makeRow(source, index);
}

/** Leaves out fields that this org lost or never had. */
function known(org: Org, object: string, made: Generator<Values>): Iterable<Values> {
  const probe = made.next();
  if (probe.done) return [];
  const missing = Object.keys(probe.value).filter((name) => !org.schema.field(object, name));
  return (function* () {
    for (const row of prepend(probe.value, made)) {
      for (const name of missing) delete row[name];
      yield row;
    }
  })();
}

function* prepend<T>(first: T, rest: Iterable<T>): Generator<T> {
  yield first;
  yield* rest;
}

/** Numbers in records (case numbers, addresses) go on from those that are there. */
const existing = (org: Org, object: string): number => org.query(`SELECT COUNT() FROM ${object}`, { all: true }).totalSize;

const column = (org: Org, soql: string): string[] => Array.from(org.table(soql).rows(), ([value]) => value!);

function contacts(org: Org): { id: string; accountId: string | null }[] {
  const found = org.table(`SELECT Id, AccountId FROM Contact ORDER BY Id LIMIT ${parentsMax}`).rows();
  return Array.from(found, ([id, accountId]) => ({ id: id!, accountId: accountId || null }));
}
