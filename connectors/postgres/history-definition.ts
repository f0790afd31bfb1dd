import { shortened } from '@tidemark/core';
import { comparable } from './column-types.ts';
import { dollarQuoted, NAME_BYTES_MAX, quoteName } from './identifiers.ts';
import { qualified, STAMP } from './layout.ts';

export interface HistoryColumn {
  readonly rawName: string;
  /** Quoted. */
  readonly name: string;
  readonly type: string;
  readonly baseType: string;
}

/** What tells of a version besides its values. */
export const HISTORY_COLUMNS = ['valid_from', 'valid_to', 'operation', 'ended_by'] as const;

/** Names of all that keeps the versions of a table's rows. */
export function historyNames(schema: string, table: string) {
  return {
    rawTable: shortened(`${table}_history`, NAME_BYTES_MAX),
    table: qualified(schema, shortened(`${table}_history`, NAME_BYTES_MAX)),
    openIndex: quoteName(shortened(`${table}_history_open`, NAME_BYTES_MAX)),
    rawRoutine: `_tidemark_history_${shortened(table, NAME_BYTES_MAX - '_tidemark_history_'.length)}`,
  };
}

const TRIGGER_PREFIX = '_tidemark_history_';
export const historyTriggers = ['insert', 'update', 'delete', 'truncate', 'rekey'].map((what) => TRIGGER_PREFIX + what);

const NOW = 'statement_timestamp()';

/** A table whose rows' versions are kept, and where. Names are quoted. */
export class History {
  readonly target: string;
  readonly table: string;
  readonly #openIndex: string;
  readonly #routine: string;
  readonly #key: readonly string[];
  readonly columns: readonly HistoryColumn[];

  /** @param columns  all that are kept, those of the key and of ours included */
  constructor(
    place: { readonly schema: string; readonly table: string },
    key: readonly string[],
    columns: readonly HistoryColumn[],
  ) {
    const names = historyNames(place.schema, place.table);
    this.target = qualified(place.schema, place.table);
    this.table = names.table;
    this.#openIndex = names.openIndex;
    this.#routine = qualified(place.schema, names.rawRoutine);
    this.#key = key;
    this.columns = columns;
  }

  /** One version of a row is open: the index sees to it, and finds it among however many there are. */
  create(): string {
    const isKey = (name: string) => this.#key.includes(name);
    const definitions = [
      ...this.columns.map(({ name, type }) => `${name} ${type}${isKey(name) ? ' NOT NULL' : ''}`),
      'valid_from timestamptz NOT NULL',
      'valid_to timestamptz',
      'operation text NOT NULL',
      'ended_by text',
      `PRIMARY KEY (${[...this.#key, 'valid_from'].join(', ')})`,
    ];
    return `CREATE TABLE ${this.table} (\n  ${definitions.join(',\n  ')}\n);
CREATE UNIQUE INDEX ${this.#openIndex} ON ${this.table} (${this.#key.join(', ')}) WHERE valid_to IS NULL`;
  }

  /**
   * What every trigger of the table runs, for the keys that a statement has touched. A version ends where the row is gone or not equal
   * to it any more, and one begins where a row has none that is open: so a write that changes nothing leaves nothing, and what was
   * missed is made good with the next write of the row. The row is read from the table: a trigger of somebody else's may have written
   * it once more since.
   *
   * It runs with the rights of its owner, so that who may write the table need not see its history. Rows are found by index however
   * many there are: a plan that was made for a million of them would read the whole history for the next single one.
   */
  routine(): { readonly body: string; readonly statement: string } {
    const old = this.#key.map((name) => `OLD.${name}`).join(', ');
    const body = `DECLARE
  v_at timestamptz := clock_timestamp();
BEGIN
  IF TG_LEVEL = 'ROW' THEN
    ${this.#end(`(SELECT ${old}) AS k (${this.#key.join(', ')})`, this.target, 'v_at')};
  ELSIF TG_OP = 'TRUNCATE' THEN
    ${this.#end(this.#openKeys(), this.target, 'v_at')};
  ELSIF TG_OP = 'DELETE' THEN
    ${this.#end('_tidemark_old k', this.target, 'v_at')};
  ELSE
    ${this.#end('_tidemark_new k', this.target, 'v_at')};
    ${this.#begin(`_tidemark_new k CROSS JOIN LATERAL ${this.#rowOf(this.target)} t`, 'v_at')};
  END IF;
  RETURN NULL;
END`;
    const statement = `CREATE OR REPLACE FUNCTION ${this.#routine}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS ${dollarQuoted(body)}`;
    return { body, statement };
  }

  /** By statement, for a hundred thousand rows in one; by row only where a row's key changes, which no sync does. */
  createTriggers(): string {
    const rekeyed = this.#key.map((name) => `OLD.${name} IS DISTINCT FROM NEW.${name}`).join(' OR ');
    const triggers = [
      ['insert', 'INSERT', 'REFERENCING NEW TABLE AS _tidemark_new FOR EACH STATEMENT'],
      ['update', 'UPDATE', 'REFERENCING NEW TABLE AS _tidemark_new FOR EACH STATEMENT'],
      ['delete', 'DELETE', 'REFERENCING OLD TABLE AS _tidemark_old FOR EACH STATEMENT'],
      ['truncate', 'TRUNCATE', 'FOR EACH STATEMENT'],
      ['rekey', `UPDATE OF ${this.#key.join(', ')}`, `FOR EACH ROW WHEN (${rekeyed})`],
    ];
    const statements = triggers.flatMap(([what, event, each]) => {
      const name = TRIGGER_PREFIX + what;
      return [
        `DROP TRIGGER IF EXISTS ${name} ON ${this.target}`,
        `CREATE TRIGGER ${name} AFTER ${event} ON ${this.target} ${each} EXECUTE FUNCTION ${this.#routine}()`,
      ];
    });
    return statements.join(';\n');
  }

  /** Afterwards the open versions are the rows of `rows`: what was written while no trigger told of it. */
  catchUp(rows = this.target): string {
    return [this.#end(this.#openKeys(), rows, NOW), this.#begin(`${rows} t`, NOW)].join(';\n');
  }

  /** Ends it; what was kept stays. */
  drop(): string {
    const triggers = historyTriggers.map((name) => `DROP TRIGGER IF EXISTS ${name} ON ${this.target}`);
    return [...triggers, `DROP FUNCTION IF EXISTS ${this.#routine}()`].join(';\n');
  }

  /**
   * Never before it began, and so never empty, though the clock be set back.
   *
   * Each key is looked up by itself, which `LATERAL` and `OFFSET 0` see to: of a table that was filled a moment ago the planner knows
   * nothing, and would compare every version with every key.
   */
  #end(keys: string, rows: string, at: string): string {
    return `UPDATE ${this.table} h SET valid_to = greatest(${at}, h.valid_from + interval '1 microsecond'),
      ended_by = CASE WHEN EXISTS (SELECT FROM ${rows} t WHERE ${this.#same('t', 'h')}) THEN 'update' ELSE 'delete' END
      WHERE h.ctid = ANY (ARRAY(
        SELECT o.ctid FROM ${keys}
        CROSS JOIN LATERAL (SELECT v.ctid, v.* FROM ${this.table} v WHERE ${this.#same('v', 'k')} AND v.valid_to IS NULL OFFSET 0) o
        LEFT JOIN LATERAL ${this.#rowOf(rows)} t ON true
        WHERE t.${this.#key[0]} IS NULL OR ${this.#differs('o', 't')}))`;
  }

  /** It begins where the last one ended, so that there is no hole between two. After a delete, or with another key, a row is a new one. */
  #begin(rows: string, at: string): string {
    const names = this.columns.map(({ name }) => name);
    const last = `SELECT l.valid_from, l.valid_to, l.ended_by FROM ${this.table} l WHERE ${this.#same('l', 't')} ORDER BY l.valid_from DESC LIMIT 1`;
    return `INSERT INTO ${this.table} (${names.join(', ')}, valid_from, operation)
      SELECT ${names.map((name) => `t.${name}`).join(', ')}, greatest(${at}, l.valid_to), CASE l.ended_by WHEN 'update' THEN 'update' ELSE 'insert' END
      FROM ${rows} LEFT JOIN LATERAL (${last}) l ON true WHERE l.valid_from IS NULL OR l.valid_to IS NOT NULL`;
  }

  #rowOf(rows: string): string {
    return `(SELECT r.* FROM ${rows} r WHERE ${this.#same('r', 'k')} OFFSET 0)`;
  }

  #openKeys(): string {
    return `(SELECT ${this.#key.join(', ')} FROM ${this.table} WHERE valid_to IS NULL) k`;
  }

  #same(a: string, b: string): string {
    return this.#key.map((name) => `${a}.${name} = ${b}.${name}`).join(' AND ');
  }

  /** A stamp alone makes no version: it moves with every look at the record. */
  #differs(a: string, b: string): string {
    const compared = this.columns.filter(({ name, rawName }) => rawName !== STAMP && !this.#key.includes(name));
    const tests = compared.map(
      ({ name, baseType }) => `${comparable(`${a}.${name}`, baseType)} IS DISTINCT FROM ${comparable(`${b}.${name}`, baseType)}`,
    );
    return tests.join(' OR ') || 'false';
  }
}
