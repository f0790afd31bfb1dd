import type { PostgresCheckpoints } from './checkpoints.ts';
import { type Client, query } from './driver.ts';
import { quoteName } from './identifiers.ts';
import { DELETED_AT, type Layout, STAMP } from './layout.ts';
import type { Preparation } from './prepare.ts';
import {
  COLUMN_RIGHTS,
  type ColumnRight,
  currentRole,
  type LackingRight,
  lackingSequences,
  lacks,
  ownersOnly,
  type RelationRights,
  readColumnRights,
  readRelationRights,
  readSchemaRights,
} from './rights.ts';

export interface TargetRights {
  readonly checkpoints: PostgresCheckpoints;
  /** Of the table. */
  readonly schema: string;
  /** Whether rows are staged beside the table, as full runs do. */
  readonly loads: boolean;
  plan(): Promise<Preparation>;
}

/** What a user lacks of the rights that one sync needs in its table, and of no others. */
export async function lackingForTarget(client: Client, target: TargetRights): Promise<LackingRight[]> {
  const { checkpoints, schema, loads } = target;
  const role = await currentRole(client);
  const kept = await readRelationRights(client, checkpoints.schema, checkpoints.rawTable, CHECKPOINT_RIGHTS);
  const withheld = CHECKPOINT_RIGHTS.filter((right) => kept?.may.has(right) === false);
  const mayLook = await readSchemaRights(client, schema);
  const lacking = [
    ...(withheld.length === 0 ? [] : [lacks(role, withheld.join(', '), checkpoints.table, 'which every run needs')]),
    ...(mayLook?.has('USAGE') === false ? [lacks(role, 'USAGE', `SCHEMA ${quoteName(schema)}`, 'which all else needs')] : []),
  ];
  // Without these nobody can look what else there is to do.
  if (withheld.includes('SELECT') || mayLook?.has('USAGE') === false) return lacking;
  if (kept === null) {
    lacking.push(...(await lackingInSchema(client, checkpoints.schema, `which making ${checkpoints.table} needs`, role)));
  }
  lacking.push(...(await new Planned(await target.plan(), role, loads).lacking(client)));
  return lacking.filter(({ hint }, i) => lacking.findIndex((other) => other.hint === hint) === i);
}

const CHECKPOINT_RIGHTS = ['SELECT', 'INSERT', 'UPDATE'];

/** Where something has to be made: in a schema, or with it. */
async function lackingInSchema(client: Client, schema: string, why: string, role: string): Promise<LackingRight[]> {
  const may = await readSchemaRights(client, schema);
  if (may === null) return lackingInDatabase(client, 'CREATE', `which making the schema ${quoteName(schema)} needs`, role);
  return may.has('CREATE') ? [] : [lacks(role, 'CREATE', `SCHEMA ${quoteName(schema)}`, why)];
}

async function lackingInDatabase(
  client: Client,
  right: 'CREATE' | 'TEMPORARY',
  why: string,
  role: string,
): Promise<LackingRight[]> {
  const { rows } = await query(client, 'SELECT current_database(), has_database_privilege(current_database(), $1)', [right]);
  const [database, may] = rows[0]!;
  return may === 't' ? [] : [lacks(role, right, `DATABASE ${quoteName(database!)}`, why)];
}

const WHY: Readonly<Record<ColumnRight, string>> = {
  SELECT: 'which comparing what comes with what is there needs',
  INSERT: 'which new records need',
  UPDATE: 'which changed records need',
};

/** What is to be done in a table, by whom. */
class Planned {
  readonly #preparation: Preparation;
  readonly #role: string;
  readonly #loads: boolean;

  constructor(preparation: Preparation, role: string, loads: boolean) {
    this.#preparation = preparation;
    this.#role = role;
    this.#loads = loads;
  }

  async lacking(client: Client): Promise<LackingRight[]> {
    const { schema, table } = this.#preparation.layout;
    const rights = await readRelationRights(client, schema, table, ['DELETE', 'TRIGGER']);
    const makes = this.#makes(rights);
    return [
      // A large batch is copied into a temporary table, and so is a record that was refused, to find out why.
      ...(await lackingInDatabase(client, 'TEMPORARY', 'which large batches need', this.#role)),
      ...(makes === null ? [] : await lackingInSchema(client, schema, makes, this.#role)),
      ...(rights === null ? [] : await this.#lackingInColumns(client)),
      ...(rights === null ? [] : this.#lackingInTable(rights)),
    ];
  }

  /** What something has to be made in the schema for; null when nothing has. */
  #makes(rights: RelationRights | null): string | null {
    const { layout, indexes, history } = this.#preparation;
    if (rights === null) return `which making the table ${layout.target} needs`;
    if (this.#loads) return 'which full runs need: they stage rows in a table of their own';
    if (history.makes) return 'which the table for the versions of its rows needs';
    // In a table of others its owner makes it.
    return indexes && rights.isOwner ? 'which an index needs' : null;
  }

  /** A right may have been given for some columns only. */
  async #lackingInColumns(client: Client): Promise<LackingRight[]> {
    const { layout, history } = this.#preparation;
    const { schema, table, target } = layout;
    const columns = await readColumnRights(client, schema, table, null);
    const used = columnsUsed(layout);
    // Triggers that keep versions read all of a row, with the rights of whoever made them.
    if (history.begins) used.SELECT = columns.map(({ name }) => name);
    const lacking = COLUMN_RIGHTS.flatMap((right): LackingRight[] => {
      const needed = columns.filter(({ name }) => used[right].includes(name));
      const without = needed.filter(({ may }) => !may.has(right)).map(({ name }) => quoteName(name));
      if (without.length === 0) return [];
      const some = without.length === needed.length ? right : `${right} (${without.join(', ')})`;
      return [lacks(this.#role, some, target, WHY[right])];
    });
    return [...lacking, ...(await lackingSequences(client, schema, table, used.INSERT, this.#role))];
  }

  #lackingInTable({ owner, isOwner, may }: RelationRights): LackingRight[] {
    const { layout, alterations, history } = this.#preparation;
    const { target, deletes } = layout;
    const lacking: LackingRight[] = [];
    if (deletes === 'mirror' && !may.has('DELETE')) {
      const { message, hint } = lacks(this.#role, 'DELETE', target, 'which records that go need (deletes: mirror)');
      lacking.push({ message, hint: `${hint} Or choose deletes: mark or ignore.` });
    }
    if (alterations.length > 0 && !isOwner) lacking.push(ownersOnly(this.#role, target, owner, alterations));
    if (history.begins && !may.has('TRIGGER')) {
      lacking.push(lacks(this.#role, 'TRIGGER', target, 'which history: true needs'));
    }
    return lacking;
  }
}

/** Names of the columns that statements of ours read, and of those that they set. */
function columnsUsed({ columns, scope, marks }: Layout): Record<ColumnRight, readonly string[]> {
  const shared = scope === undefined ? [] : [scope.column];
  const marked = marks ? [DELETED_AT] : [];
  const all = [...shared, ...columns.map(({ rawName }) => rawName), STAMP];
  const values = columns.filter(({ isKey }) => !isKey).map(({ rawName }) => rawName);
  return { SELECT: [...all, ...marked], INSERT: all, UPDATE: [...values, STAMP, ...marked] };
}
