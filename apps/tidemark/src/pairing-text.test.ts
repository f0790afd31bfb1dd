import type { Conflict, FoundPair, PairingConfig, PairingPlan } from '@tidemark/core';
import { expect, test } from 'vitest';
import { FirstOf } from './dry-run-text.ts';
import { renderConflict, renderConflicts, renderPairingPlan } from './pairing-text.ts';

// Whoever decides a conflict is told whose value is whose, by the names that they gave the systems themselves.

const conflict: Conflict = {
  ...{ id: '7', sync: 'accounts', leftKey: '001', rightKey: '5', field: 'phone', base: null, left: '1', right: '2' },
  ...{ state: 'open', outcome: null, why: 'both sides changed it', atMs: 0 },
};
const pairing = { left: { connection: 'crm' }, right: { connection: 'app' } } as PairingConfig;

test('a conflict is shown with its sides by name', () => {
  expect(renderConflict(conflict, pairing)).toBe(
    [
      'accounts: 001 / 5, phone',
      '  open: both sides changed it',
      '  agreed before: null',
      '  crm:           "1"',
      '  app:           "2"',
      '',
    ].join('\n'),
  );
});

test('a first meeting tells who would be linked with whom', () => {
  const links = new FirstOf<FoundPair>(1);
  for (const found of [
    { left: '001', right: '5' },
    { left: '002', right: '6' },
  ]) {
    links.add(found);
  }
  const none = { created: 0, updated: 0, deleted: 0 };
  const plan: PairingPlan = {
    ...{ kind: 'full', reason: null, read: 4, linked: 2, failed: 0, conflicts: 0, shown: [], calls: null },
    ...{ left: none, right: none },
  };
  const text = renderPairingPlan(pairing, plan, { links, writes: new FirstOf(1) }, (_, shown) => shown);
  expect(text).toContain('  = link crm 001 with app 5\n  and 1 more records');
});

test('of a sync that is not configured any more, by their places', () => {
  const settled = renderConflict({ ...conflict, state: 'settled', outcome: '2' }, undefined);
  expect(settled).toContain('  first side:    "1"\n  second side:   "2"\n  stands:        "2"\n');
});

test('an overwrite that is under way is told as that', () => {
  expect(renderConflicts([{ ...conflict, state: 'writing', outcome: '2' }])).toMatch(/ being written +"2" /);
});
