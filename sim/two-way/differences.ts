import type { Conflict, Failure, Link } from '@tidemark/core';
import { type Field, fields, meaningOf, phoneMax, type SideRecord } from './fields.ts';
import type { Plan } from './plan.ts';

export interface End {
  readonly left: ReadonlyMap<string, SideRecord>;
  readonly right: ReadonlyMap<string, SideRecord>;
  readonly links: readonly Link[];
  readonly conflicts: readonly Conflict[];
  readonly failures: readonly Failure[];
}

/** How the two sides differ in what nobody is told about: no open conflict, no open failure. Empty when all is well. */
export function differences({ left, right, links, conflicts, failures }: End, { deletes, spellings, mends }: Plan): string[] {
  const found = failures.flatMap((failure) => {
    const key = failure.key.startsWith(':')
      ? failure.key.slice(1)
      : links.find(({ leftKey }) => leftKey === failure.key)?.rightKey;
    const isMeant = unpaired.has(failure.code) || isRefused(right.get(key ?? ''), mends !== 'rule');
    return isMeant ? [] : [`${failure.key} has failed with ${failure.code} ${failure.message}, and nothing is wrong with it`];
  });
  const failing = new Set(failures.map(({ key }) => key));
  const isFailing = (leftKey: string | null, rightKey: string | null) =>
    (leftKey !== null && failing.has(leftKey)) || (rightKey !== null && failing.has(`:${rightKey}`));
  const open = conflicts.filter(({ state }) => state === 'open');
  const isOpen = (leftKey: string, rightKey: string, field: string | null) =>
    open.some((each) => each.leftKey === leftKey && each.rightKey === rightKey && each.field === field);
  for (const { leftKey, rightKey, field } of open) {
    if (field === null && left.has(leftKey) && right.has(rightKey))
      found.push(`it is asked whether left ${leftKey} and right ${rightKey} exist, and both do`);
  }
  const byRight = new Map(links.map((link) => [link.rightKey, link]));
  const byLeft = new Map(links.map((link) => [link.leftKey, link]));

  for (const [leftKey, record] of left) {
    const link = byLeft.get(leftKey);
    if (isFailing(leftKey, link?.rightKey ?? null)) continue;
    if (link === undefined) {
      if (!open.some((each) => each.leftKey === leftKey && each.field === null)) found.push(`left ${leftKey} has no partner`);
      continue;
    }
    const { rightKey, gone } = link;
    const partner = right.get(rightKey);
    if (gone !== null) {
      const mayBeAlone = (gone === 'right' && deletes === 'ignore') || isOpen(leftKey, rightKey, null);
      if (!mayBeAlone || gone !== 'right')
        found.push(`left ${leftKey} is there, its link with right ${rightKey} says gone: ${gone}`);
      continue;
    }
    if (partner === undefined) {
      found.push(`left ${leftKey} is linked with right ${rightKey}, which is not there`);
      continue;
    }
    if (record.partner !== rightKey) found.push(`left ${leftKey} names right ${record.partner} and is linked with ${rightKey}`);
    if (partner.partner !== leftKey) found.push(`right ${rightKey} names left ${partner.partner} and is linked with ${leftKey}`);
    for (const field of fields) {
      if (isOpen(leftKey, rightKey, field) || isSame(field, record.values[field], partner.values[field], spellings)) continue;
      const [here, there] = [record, partner].map(({ values }) => JSON.stringify(values[field] ?? null));
      found.push(`${field} is ${here} in left ${leftKey} and ${there} in right ${rightKey}`);
    }
  }
  for (const [rightKey] of right) {
    const link = byRight.get(rightKey);
    if (isFailing(link?.leftKey ?? null, rightKey)) continue;
    if (link === undefined) {
      if (!open.some((each) => each.rightKey === rightKey && each.field === null)) found.push(`right ${rightKey} has no partner`);
    } else if (!left.has(link.leftKey)) {
      const { leftKey, gone } = link;
      const mayBeAlone = (gone === 'left' && deletes === 'ignore') || isOpen(leftKey, rightKey, null);
      if (!mayBeAlone || gone !== 'left')
        found.push(`right ${rightKey} is there and left ${leftKey} is not, its link says gone: ${gone}`);
    }
  }
  return found;
}

const unpaired = new Set(['several_matches', 'match_is_taken']);

/** The org does not take it as it is. @param ruled  its rule is in force still */
function isRefused(record: SideRecord | undefined, ruled: boolean): boolean {
  const phone = String(record?.values.phone ?? '');
  return phone.length > phoneMax || (ruled && phone.startsWith('bad'));
}

function isSame(field: Field, a: unknown, b: unknown, spellings: boolean): boolean {
  // Where each side writes it in letters of its own, it stays so.
  if (spellings && field === 'site') return meaningOf(field, a)?.toLowerCase() === meaningOf(field, b)?.toLowerCase();
  const plain = (value: unknown) => (value === null || value === undefined ? null : field === 'revenue' ? Number(value) : value);
  return plain(a) === plain(b);
}
