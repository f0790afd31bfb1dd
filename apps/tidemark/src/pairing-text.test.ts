import type { Conflict, PairingConfig } from '@tidemark/core';
import { expect, test } from 'vitest';
import { renderConflict, renderConflicts } from './pairing-text.ts';

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

test('of a sync that is not configured any more, by their places', () => {
  const settled = renderConflict({ ...conflict, state: 'settled', outcome: '2' }, undefined);
  expect(settled).toContain('  first side:    "1"\n  second side:   "2"\n  stands:        "2"\n');
});

test('an overwrite that is under way is told as that', () => {
  expect(renderConflicts([{ ...conflict, state: 'writing', outcome: '2' }])).toMatch(/ being written +"2" /);
});
