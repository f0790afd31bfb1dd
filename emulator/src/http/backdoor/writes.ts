import type { ConversionOutcome, MergeOutcome, Transaction, Values, WriteOutcome } from '../../org/types.ts';
import { readList, readObject, readText } from './read.ts';

/** One write of a backdoor request: `{"kind": "update", "object": "Contact", "id": "003…", "values": {"Email": null}}`. */
export function applyWrite(
  transaction: Transaction,
  write: unknown,
): WriteOutcome | MergeOutcome | ConversionOutcome | { purged: number } {
  if (write === null || typeof write !== 'object') throw new TypeError('each write must be an object');
  const fields = write as Record<string, unknown>;
  const kind = readText(fields, 'kind');
  const object = readText(fields, 'object');
  const id = () => readText(fields, 'id');
  const values = () => readObject(fields, 'values') as Values;
  switch (kind) {
    case 'insert':
      return transaction.insert(object, values());
    case 'update':
      return transaction.update(object, id(), values());
    case 'upsert':
      return transaction.upsert(object, readText(fields, 'externalIdField'), readText(fields, 'externalId'), values());
    case 'delete':
      return transaction.delete(object, id());
    case 'undelete':
      return transaction.undelete(object, id());
    case 'merge':
      return transaction.merge(object, id(), readList(fields, 'ids') as string[], fields.values === undefined ? {} : values());
    case 'convert': {
      const text = (name: string) => (fields[name] === undefined ? {} : { [name]: readText(fields, name) });
      const opportunity = fields.opportunityName === null ? { opportunityName: null } : text('opportunityName');
      return transaction.convertLead(id(), { ...text('accountId'), ...text('contactId'), ...text('status'), ...opportunity });
    }
    case 'purge': {
      const ids = readList(fields, 'ids') as string[];
      transaction.purge(object, ids);
      return { purged: ids.length };
    }
    default:
      throw new TypeError(`unknown kind '${kind}'; there are insert, update, upsert, delete, undelete, merge, convert, purge`);
  }
}
