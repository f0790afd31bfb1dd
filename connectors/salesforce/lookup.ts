import {
  type FieldType,
  type FieldValue,
  type Found,
  type Lookup,
  type LookupSpec,
  newRow,
  RequestRefusedError,
  type Row,
  textOf,
} from '@tidemark/core';
import type { Client } from './client.ts';
import type { LookupSettings } from './config.ts';
import { createDataset, unknownFields } from './dataset.ts';
import type { DescribeField, Describes } from './describe.ts';
import { type JsonRecord, valueAt } from './queries.ts';
import { fromRest } from './values.ts';
import { findRecords, foldKey } from './write/find-records.ts';

/** What findRecords asks in one call to the org. */
const valuesMax = 2000;

/** Finds records of an object by one field, as the org compares its values: mostly without regard to capitals. */
export async function openLookup(
  { client, describes }: { readonly client: Client; readonly describes: Describes },
  { lookup, key, fields }: LookupSpec<LookupSettings>,
  signal: AbortSignal,
): Promise<Lookup> {
  const object = await describes.get(lookup.object, signal);
  const wantedToo = { fields: [key, ...fields], exclude: [] };
  const { schema, notes } = await createDataset(object, wantedToo, (name) => describes.get(name, signal));
  const keyField = object.fields.find(({ name }) => name.toLowerCase() === key.toLowerCase());
  // One of a parent was found, and is none by which a query compares here.
  if (keyField === undefined) throw unknownFields(object, [key]);
  if (!keyField.filterable) {
    throw new RequestRefusedError(`${object.name} cannot be searched by ${keyField.name}`, {
      hint: 'Name a field that a SOQL WHERE takes, best an external id, which has an index.',
    });
  }
  const [note] = notes;
  if (note !== undefined) throw new RequestRefusedError(`${object.name}.${note}`);
  const known = new Map(schema.fields.map((field) => [field.name.toLowerCase(), field]));
  const wanted = fields.map((name) => ({ asked: name, ...known.get(name.toLowerCase())! }));
  return new ObjectLookup(client, object.name, keyField, wanted);
}

interface WantedField {
  /** As the user spells it. */
  readonly asked: string;
  /** As the org does: `Name`, or `Owner.Name`. */
  readonly name: string;
  readonly type: FieldType;
}

class ObjectLookup implements Lookup {
  readonly valuesMax = valuesMax;
  readonly types: ReadonlyMap<string, FieldType>;
  readonly #client: Client;
  readonly #object: string;
  readonly #key: DescribeField;
  readonly #fields: readonly WantedField[];

  constructor(client: Client, object: string, key: DescribeField, fields: readonly WantedField[]) {
    this.#client = client;
    this.#object = object;
    this.#key = key;
    this.#fields = fields;
    this.types = new Map(fields.map(({ asked, type }) => [asked, type]));
  }

  async find(values: readonly FieldValue[], signal: AbortSignal): Promise<ReadonlyMap<string, Found>> {
    const texts = values.map((value) => textOf(value)!);
    const records = await findRecords(
      {
        client: this.#client,
        object: this.#object,
        key: this.#key,
        fields: this.#fields.map(({ name }) => name),
        signal,
      },
      texts,
    );
    const found = new Map<string, readonly Row[]>();
    for (const text of texts) {
      const matching = records.get(foldKey(text, this.#key));
      if (matching === undefined) continue;
      found.set(
        text,
        matching.toSorted((a, b) => (String(a.Id) < String(b.Id) ? -1 : 1)).map((record) => this.#row(record)),
      );
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #row(record: JsonRecord): Row {
    const row = newRow();
    for (const { asked, name, type } of this.#fields) row[asked] = fromRest(valueAt(record, name), { type });
    return row;
  }
}
