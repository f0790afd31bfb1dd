import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';
import { type IngestOperation, JobFailure } from './ingest-types.ts';

/** Bulk API 2.0 Developer Guide, "Valid CSV Record Rows". */
const headerCharactersMax = 32_000;
const fieldsMax = 5_000;

/** How the cells of a row become a record. */
export interface RowPlan {
  /** As uploaded, for the results. */
  readonly header: readonly string[];
  /** Columns with values, by the name under which the org takes them: `LastName`, `Account.Ext__c`, `Lead:Who.Email`. */
  readonly columns: readonly { index: number; name: string }[];
  /** Where the record's id stands, for updates and deletes, and for upserts by Id. */
  readonly idColumn: number;
  /** The column of an upsert's external id. */
  readonly keyColumn: number;
  readonly keyField: FieldDescribe | undefined;
}

/**
 * Reads the header row of an upload: which column is which field.
 *
 * @throws {JobFailure}
 */
export function planRows(
  header: readonly string[],
  object: ObjectDescribe,
  schema: Schema,
  job: { operation: IngestOperation; externalIdFieldName: string | undefined },
): RowPlan {
  if (header.length > fieldsMax || header.reduce((sum, name) => sum + name.length + 1, 0) > headerCharactersMax) {
    throw new JobFailure(`InvalidBatch : The header row is too long: at most ${headerCharactersMax} characters are allowed`);
  }
  const fields = new Map(object.fields.map((field) => [field.name.toLowerCase(), field]));
  const columns: { index: number; name: string }[] = [];
  const seen = new Map<string, number>();
  for (const [index, written] of header.entries()) {
    const name = written.includes('.') ? parentColumn(written, object, schema) : fields.get(written.toLowerCase())?.name;
    if (name === undefined) throw notFound(written);
    if (seen.has(name.toLowerCase())) throw new JobFailure(`InvalidBatch : Field name specified more than once : ${written}`);
    seen.set(name.toLowerCase(), index);
    columns.push({ index, name });
  }
  const require = (name: string): number => {
    const index = seen.get(name.toLowerCase());
    if (index === undefined) throw notFound(name);
    return index;
  };
  const { operation, externalIdFieldName } = job;
  if (operation === 'insert') return { header, columns, idColumn: -1, keyColumn: -1, keyField: undefined };
  if (operation === 'upsert') {
    const keyField = fields.get((externalIdFieldName ?? 'Id').toLowerCase());
    const keyColumn = require(keyField?.name ?? 'Id');
    return {
      header,
      columns: columns.filter(({ index }) => index !== keyColumn),
      idColumn: keyField?.type === 'id' ? keyColumn : -1,
      keyColumn,
      keyField,
    };
  }
  const idColumn = require('Id');
  if (operation !== 'update' && columns.length > 1) {
    throw new JobFailure("InvalidBatch : The 'delete' batch must contain only ids");
  }
  return { header, columns: columns.filter(({ index }) => index !== idColumn), idColumn, keyColumn: -1, keyField: undefined };
}

const notFound = (name: string) => new JobFailure(`InvalidBatch : Field name not found : ${name}`);

/**
 * `Account.Ext__c`, or `Lead:Who.Email` where the parent may be of several types: then the type is wanted, else it is not
 * allowed (Bulk API 2.0 Developer Guide, "Relationship Fields in a Header Row"). Undefined when there is no such parent.
 */
function parentColumn(written: string, object: ObjectDescribe, schema: Schema): string | undefined {
  const match = /^(?:(\w+):)?(\w+)\.(\w+)$/.exec(written);
  if (!match) return undefined;
  const [, typeName, relationship, fieldName] = match as unknown as [string, string | undefined, string, string];
  const field = object.fields.find(({ relationshipName }) => relationshipName?.toLowerCase() === relationship.toLowerCase());
  if (!field?.relationshipName) return undefined;
  const { referenceTo } = field;
  const wanted = typeName?.toLowerCase();
  const parent = wanted === undefined ? referenceTo[0] : referenceTo.find((name) => name.toLowerCase() === wanted);
  if (parent === undefined || (typeName === undefined) !== (referenceTo.length === 1)) return undefined;
  const key = schema.field(parent, fieldName);
  if (!key) return undefined;
  return `${typeName === undefined ? '' : `${parent}:`}${field.relationshipName}.${key.name}`;
}
