import type { Org, Values } from '../../org/types.ts';
import type { FieldDescribe } from '../../schema/types.ts';
import { seededRandom } from '../../seeded-random.ts';

export type RandomChangeKind = 'update' | 'delete' | 'undelete' | 'purge';

export interface RandomChanges {
  object: string;
  records: number;
  seed: number;
  kind: RandomChangeKind;
}

/** Records written per transaction: a trigger sees as many. */
const chunkRecords = 200;

/** Changes records chosen by seed, as users would over a day. Answers the ids it touched. */
export function changeAtRandom(org: Org, { object, records, seed, kind }: RandomChanges): { ids: string[] } {
  if (!['update', 'delete', 'undelete', 'purge'].includes(kind)) throw new TypeError(`unknown kind '${kind}' of random changes`);
  const random = seededRandom(seed);
  const describe = org.schema.object(object);
  if (!describe) throw new TypeError(`there is no object '${object}'`);
  const fields = describe.fields.filter(isChangeable);
  if (kind === 'update' && fields.length === 0) throw new TypeError(`'${object}' has no text that could be changed`);
  const ids = pick(idsOf(org, describe.name, kind === 'undelete'), records, random);
  for (let start = 0; start < ids.length; start += chunkRecords) {
    const chunk = ids.slice(start, start + chunkRecords);
    org.write((transaction) => {
      if (kind === 'purge') transaction.purge(describe.name, chunk);
      else if (kind === 'update') {
        for (const id of chunk) transaction.update(describe.name, id, randomValues(fields, random));
      } else for (const id of chunk) transaction[kind](describe.name, id);
    });
  }
  return { ids };
}

/** Plain text that nothing else depends on. */
const isChangeable = (field: FieldDescribe) =>
  (field.type === 'string' || field.type === 'textarea' || field.type === 'phone') &&
  field.updateable &&
  !field.unique &&
  !field.externalId &&
  field.length >= 20;

function idsOf(org: Org, object: string, deleted: boolean): string[] {
  const soql = `SELECT Id FROM ${object}${deleted ? ' WHERE IsDeleted = true' : ''} ORDER BY Id`;
  const result = org.query(soql, { all: deleted });
  const ids: string[] = [];
  for (let offset = 0; offset < result.totalSize; offset += 2000) {
    for (const row of result.page(offset, 2000, 'v62.0') as { Id: string }[]) ids.push(row.Id);
  }
  return ids;
}

/** The first `count` of a shuffle that goes no further than it must. */
function pick(ids: string[], count: number, random: () => number): string[] {
  const picked = Math.min(count, ids.length);
  for (let place = 0; place < picked; place += 1) {
    const other = place + Math.floor(random() * (ids.length - place));
    [ids[place], ids[other]] = [ids[other] as string, ids[place] as string];
  }
  return ids.slice(0, picked);
}

function randomValues(fields: readonly FieldDescribe[], random: () => number): Values {
  const field = fields[Math.floor(random() * fields.length)] as FieldDescribe;
  const word = Math.floor(random() * 36 ** 6).toString(36);
  return { [field.name]: `changed ${word}`.slice(0, field.length) };
}
