import { type DatasetSchema, keyOf, newRow, type Row } from '@tidemark/core';
import {
  describeSourceContract,
  describeTargetContract,
  type SourceFixture,
  sqlTraits,
  type TargetFixture,
} from '@tidemark/testkit';
import type { PostgresFrom } from './config.ts';
import { quoteName } from './identifiers.ts';
import { database } from './table-fixture.ts';
import { fromPostgres, toPostgresText } from './values.ts';

let made = 0;

/** Each dataset has a schema of its own, so that the checkpoints are its own, too. */
async function createTarget(): Promise<TargetFixture> {
  const schemaName = `contract_${++made}`;
  await database.script(`CREATE SCHEMA ${schemaName}`);
  const connection = database.connect({ schema: schemaName });
  const table = `${schemaName}.contacts`;
  const unitOf = (dataset: 'contacts' | 'other') => (dataset === 'other' ? dataset : 'contract');
  const exists = async (name = table) => (await database.sql('SELECT to_regclass($1)', [name]))[0]![0] !== null;
  const columns = async (dataset: 'contacts' | 'other' = 'contacts'): Promise<{ [field: string]: string }> =>
    JSON.parse(
      (await database.sql(`SELECT columns FROM ${schemaName}._tidemark_checkpoints WHERE unit = $1`, [unitOf(dataset)]))[0]![0]!,
    );
  const marks = async (name = table) =>
    (
      await database.sql(
        `SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('${name}') AND attname = '_tidemark_deleted_at'`,
      )
    ).length > 0;
  let counted = false;
  return {
    open: ({ schema, deletes, dataset = 'contacts', scope }) => {
      const unit = scope === undefined ? unitOf(dataset) : `contract@${scope.value}`;
      return connection.openTarget!({ to: { table: dataset }, unit, schema, deletes, scope }, AbortSignal.timeout(60_000));
    },
    openStreamWriter: (targets) => connection.openStreamWriter!(targets),
    async rows(schema, dataset = 'contacts') {
      const from = `${schemaName}.${dataset}`;
      if (!(await exists(from))) return new Map();
      const names = await columns(dataset);
      const list = schema.fields.map(({ name }) => quoteName(names[name]!)).join(', ');
      const live = (await marks(from)) ? 'WHERE _tidemark_deleted_at IS NULL' : '';
      const found = await database.sql(`SELECT ${list} FROM ${from} ${live}`);
      return new Map(found.map((texts) => rowOf(texts, schema)).map((each) => [keyOf(each, schema.key)!, each]));
    },
    async insertForeign(row, schema) {
      const names = await columns();
      const list = schema.fields.map(({ name }) => quoteName(names[name]!)).join(', ');
      await database.sql(
        `INSERT INTO ${table} (${list}) VALUES (${schema.fields.map((_, i) => `$${i + 1}`).join(', ')})`,
        schema.fields.map((field) => toPostgresText(row[field.name], field, field.type === 'bytes')),
      );
    },
    marked: async () =>
      (await marks()) === false
        ? []
        : (await database.sql(`SELECT id FROM ${table} WHERE _tidemark_deleted_at IS NOT NULL ORDER BY id`)).map(([id]) => id!),
    async writes() {
      // Counted by a trigger: the server's own statistics come late.
      if (!counted) {
        counted = true;
        await database.script(
          `CREATE SEQUENCE ${schemaName}.writes;
           CREATE FUNCTION ${schemaName}.count() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('${schemaName}.writes'); RETURN NULL; END $$;
           CREATE TRIGGER count AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${schemaName}.count()`,
        );
      }
      const [[last, called]] = (await database.sql(`SELECT last_value, is_called FROM ${schemaName}.writes`)) as [
        [string, string],
      ];
      return called === 't' ? Number(last) : 0;
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
    },
  };
}

function rowOf(texts: readonly (string | null)[], schema: DatasetSchema): Row {
  const row = newRow();
  schema.fields.forEach((field, i) => {
    row[field.name] = fromPostgres(texts[i]!, field);
  });
  return row;
}

async function createSource(from: PostgresFrom): Promise<SourceFixture> {
  const schemaName = `contract_${++made}`;
  await database.script(
    `CREATE SCHEMA ${schemaName};
     CREATE TABLE ${schemaName}.contacts ("Id" text PRIMARY KEY, "Name" text, "ModifiedAt" timestamptz NOT NULL)`,
  );
  const connection = database.connect({ schema: schemaName });
  await connection.prepareSource!(from, AbortSignal.timeout(60_000));
  return {
    open: (spec) =>
      connection.openSource!(
        {
          from,
          where: undefined,
          fields: null,
          exclude: [],
          startAtMs: null,
          ...spec,
        },
        AbortSignal.timeout(60_000),
      ),
    async put(records) {
      await database.sql(
        `INSERT INTO ${schemaName}.contacts SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
         ON CONFLICT ("Id") DO UPDATE SET "Name" = excluded."Name", "ModifiedAt" = excluded."ModifiedAt"`,
        [
          records.map(({ id }) => id),
          records.map(({ name }) => name),
          records.map(({ stampMs }) => new Date(stampMs).toISOString()),
        ],
      );
    },
    async remove(ids) {
      await database.sql(`DELETE FROM ${schemaName}.contacts WHERE "Id" = ANY ($1)`, [ids]);
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
    },
  };
}

describeTargetContract('postgres', createTarget, { ...sqlTraits, streams: true, shares: true });
describeSourceContract('postgres with a watermark', () => createSource({ table: 'contacts', watermark: 'ModifiedAt' }), {
  delta: true,
  deletes: false,
  stamps: true,
  severalPages: 12_000,
});
describeSourceContract('postgres with a captured table', () => createSource({ table: 'contacts', capture: true }), {
  delta: true,
  deletes: true,
  stamps: false,
  severalPages: 12_000,
});
