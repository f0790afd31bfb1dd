import type { SyncConfig } from '../../config/config.ts';
import { fieldsToRead } from '../../config/fields-to-read.ts';
import type { Source } from '../../model/connector.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { Stage, StageContext } from '../stage.ts';
import { mapStage } from '../stage-map.ts';

/** What a partial change means for one sync. */
export type Meaning =
  /** It touches nothing that reaches the target. */
  | { readonly kind: 'nothing' }
  /** A step needs more than the change carries: the record has to be read. */
  | { readonly kind: 'read' }
  /** These fields of the target, and no other. */
  | { readonly kind: 'set'; readonly row: Row };

/** Tells what events mean for a sync, by which fields they carry and which its mapping needs. */
export interface Partial {
  /** @param untold  fields that changed and are not in `row` */
  update(row: Row, untold: readonly string[]): Meaning | Promise<Meaning>;
  /** Whether a record that has just come to be can be written from its event alone. */
  carriesAll(row: Row, untold: readonly string[]): boolean;
}

export interface Output {
  readonly name: string;
  /** Source fields that it needs; null for all of them. */
  readonly reads: readonly string[] | null;
  /** Makes the value of this one field; absent where a source field is taken as it is. */
  readonly stage: Stage | null;
}

/** Fields that the steps get, as the source spells them; null when they may look at any. */
function stepsRead(sync: SyncConfig, { schema }: Source): readonly string[] | null {
  const spelling = new Map(schema.fields.map(({ name }) => [name.toLowerCase(), name]));
  return fieldsToRead(sync)?.map((name) => spelling.get(name.toLowerCase()) ?? name) ?? null;
}

/**
 * Compiles a sync's mapping for partial changes. A sync with steps needs whole records, because a step may look at anything; so
 * does one whose expression cannot tell what it reads.
 *
 * @param onNewField  told of a field that the source did not have when it was opened, of a sync that takes every field
 */
export function compilePartial(
  sync: SyncConfig,
  source: Source,
  context: StageContext,
  onNewField: (name: string) => void = () => {},
): Partial {
  const outputs = sync.steps.length > 0 ? null : outputsOf(sync, source, context);
  const everything = source.schema.fields.map(({ name }) => name);
  const needed = new Set(outputs?.flatMap(({ reads }) => reads ?? everything) ?? stepsRead(sync, source) ?? everything);
  const filterFields = sync.where === null && source.filterFields === undefined ? [] : (source.filterFields ?? null);
  const alwaysRead = filterFields === null || (outputs?.some(({ reads }) => reads === null) ?? false);
  const uses = usesOf(outputs, needed, new Set([...(filterFields ?? []), ...dependentsOf(source, needed)]));
  const computed = outputs?.filter(({ stage }) => stage !== null) ?? [];
  const known = new Set([...everything, ...sync.exclude]);
  const notice = (name: string) => {
    if (sync.fields !== null || known.has(name)) return;
    known.add(name);
    onNewField(name);
  };

  return {
    update(row, untold) {
      if (alwaysRead) {
        for (const name in row) notice(name);
        return READ;
      }
      for (const name of untold) if (uses.has(name)) return READ;
      const set = newRow();
      let any = false;
      for (const name in row) {
        const names = uses.get(name);
        if (names === undefined) {
          notice(name);
          continue;
        }
        if (names === 'read') return READ;
        any = true;
        for (const output of names) set[output] = row[name]!;
      }
      if (!any) return NOTHING;
      if (computed.length === 0) return { kind: 'set', row: set };
      const affected = computed.filter(({ reads }) => reads!.some((name) => Object.hasOwn(row, name)));
      if (!affected.every(({ reads }) => reads!.every((name) => Object.hasOwn(row, name)))) return READ;
      return affected.length === 0 ? { kind: 'set', row: set } : compute(row, set, affected);
    },
    carriesAll(row, untold) {
      for (const name in row) notice(name);
      if (sync.where !== null || source.filterFields !== undefined) return false;
      for (const name of untold) if (needed.has(name)) return false;
      for (const name of needed) if (!Object.hasOwn(row, name)) return false;
      return true;
    },
  };
}

const NOTHING: Meaning = { kind: 'nothing' };
const READ: Meaning = { kind: 'read' };

/** What a change of each field asks for: a read of the record, or these fields of the target, which may also be made of it. */
type Uses = ReadonlyMap<string, 'read' | readonly string[]>;

function usesOf(outputs: readonly Output[] | null, needed: ReadonlySet<string>, reading: ReadonlySet<string>): Uses {
  const uses = new Map<string, 'read' | string[]>();
  for (const name of needed) uses.set(name, outputs === null ? 'read' : []);
  for (const { name, reads, stage } of outputs ?? []) {
    const names = uses.get(reads?.[0] ?? '');
    if (stage === null && Array.isArray(names)) names.push(name);
  }
  for (const name of reading) uses.set(name, 'read');
  return uses;
}

async function compute(row: Row, set: Row, outputs: readonly Output[]): Promise<Meaning> {
  for (const { name, stage } of outputs) {
    const { items, failures } = await stage!.items([{ key: '', stampMs: 0, row }]);
    // The record as a whole goes through the same expression, and its failure is then told with the record (P2).
    if (failures.length > 0) return READ;
    set[name] = items[0]!.row[name]!;
  }
  return { kind: 'set', row: set };
}

/** What reaches the target of a sync without steps, field by field. */
export function outputsOf(sync: SyncConfig, source: Pick<Source, 'schema'>, context: StageContext): readonly Output[] {
  const { schema } = source;
  const spelling = new Map(schema.fields.map(({ name }) => [name.toLowerCase(), name]));
  const spelled = (name: string) => spelling.get(name.toLowerCase()) ?? name;
  if (sync.fields === null) {
    const out = new Set(sync.exclude.map(spelled));
    return schema.fields.flatMap(({ name }) => (out.has(name) ? [] : [{ name, reads: [name], stage: null }]));
  }
  return [...sync.fields].map(([name, from]): Output => {
    if (from.kind === 'field') return { name, reads: [spelled(from.field)], stage: null };
    const step = { name: 'fields', fields: new Map([[name, from]]), exclude: [] };
    const place = `syncs.${sync.name}.fields`;
    const stage = mapStage(step, schema, { ...context, problems: [], place, open: false });
    return { name, reads: from.reads === null ? null : from.reads.map(spelled), stage };
  });
}

/** Fields from which a needed field follows that events do not carry: its value has to be read when one of them changes. */
function dependentsOf(source: Source, needed: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [name, from] of source.derivedFields ?? []) {
    if (needed.has(name)) for (const field of from ?? []) found.add(field);
  }
  return found;
}
