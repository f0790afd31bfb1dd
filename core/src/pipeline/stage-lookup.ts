import { type Problem, RequestRefusedError } from '../base/errors.ts';
import type { FieldMapping, LookupConfig, LookupMatch } from '../config/config.ts';
import { compileExpression } from '../expression/expression.ts';
import type { Found, Lookup, LookupSpec } from '../model/lookup.ts';
import type { DatasetSchema, FieldSchema } from '../model/schema.ts';
import { type FieldValue, newRow, type Row, textOf } from '../model/value.ts';
import { LookupCache } from './lookup-cache.ts';
import { failureOf, type Item, type Stage, type StageContext, type StepFailure } from './stage.ts';

/** Opens what a lookup step asks, by the name of its connection. */
export type OpenLookup = (connection: string, spec: LookupSpec) => Promise<Lookup>;

interface LookupStageContext extends StageContext {
  readonly openLookup: OpenLookup;
  readonly problems: Problem[];
  readonly place: string;
  /** Records may hold fields that no schema tells. */
  readonly open: boolean;
}

/**
 * Takes fields from records of another system. A batch of records asks once for all its distinct values; only what was found is
 * remembered, since what is missing now may be there a moment later. When the other system cannot be asked, nothing goes on; when it
 * refuses one value, only the records with that value fail (P2).
 */
export async function lookupStage(
  step: LookupConfig,
  input: DatasetSchema,
  context: LookupStageContext,
): Promise<Stage & { readonly lookup: Lookup }> {
  const spell = speller(step, input, context);
  const lookedFor = compileBy(step.by, spell, context);
  const matches = step.match === null ? null : compileMatch(step.match, spell, context);
  refuseKeys(step, input, context);
  const fields = [...new Set([...step.fields.values(), ...(step.match?.found ?? [])])];
  const lookup = await context.openLookup(step.connection, { lookup: step.spec, key: step.key, fields });
  const cache = new LookupCache(step.cacheMs, context.clock);
  const size = Math.max(1, Math.min(step.batch, lookup.valuesMax));

  /** What is there for each of these values, by their text. */
  async function findAll(values: ReadonlyMap<string, FieldValue>): Promise<ReadonlyMap<string, Found>> {
    const found = new Map<string, Found>();
    const asked: FieldValue[] = [];
    for (const [text, value] of values) {
      const known = cache.get(text);
      if (known === undefined) asked.push(value);
      else found.set(text, known);
    }
    for (let at = 0; at < asked.length; at += size) {
      for (const [text, each] of await lookup.find(asked.slice(at, at + size), context.signal)) {
        found.set(text, each);
        if (!('refused' in each) && each.length > 0) cache.set(text, each);
      }
    }
    return found;
  }

  async function chosen(item: Item, found: Found | undefined): Promise<Row | null> {
    if (found !== undefined && 'refused' in found) throw found.refused;
    const meant: Row[] = [];
    for (const row of found ?? []) if (matches === null || (await matches(row, item.row))) meant.push(row);
    if (meant.length > 1 && step.several === 'fail') {
      throw {
        code: 'lookup_ambiguous',
        message: `${meant.length} records of ${step.connection} are found for it by ${step.key}`,
      };
    }
    if (meant.length === 0 && step.missing === 'fail') {
      throw { code: 'lookup_missing', message: `no record of ${step.connection} is found for it by ${step.key}` };
    }
    return meant[0] ?? null;
  }

  return {
    name: step.name,
    schema: { ...input, fields: withFound(input, step, lookup) },
    lookup,
    async items(items) {
      const kept: Item[] = [];
      const dropped: Item[] = [];
      const failures: StepFailure[] = [];
      const texts = new Map<Item, string | null>();
      const values = new Map<string, FieldValue>();
      for (const item of items) {
        try {
          const value = await lookedFor(item.row);
          const text = textOf(value);
          texts.set(item, text);
          if (text !== null) values.set(text, value);
        } catch (error) {
          failures.push(failureOf(item, step.name, error));
        }
      }
      const found = values.size === 0 ? new Map<string, Found>() : await findAll(values);
      for (const [item, text] of texts) {
        try {
          const row = await chosen(item, text === null ? undefined : found.get(text));
          if (row === null && step.missing === 'drop') dropped.push(item);
          else kept.push({ ...item, row: joined(item.row, row, step) });
        } catch (error) {
          failures.push(failureOf(item, step.name, error));
        }
      }
      return { items: kept, dropped, failures };
    },
  };
}

function joined(record: Row, found: Row | null, { fields }: LookupConfig): Row {
  const row: Row = Object.assign(newRow(), record);
  for (const [name, from] of fields) row[name] = found?.[from] ?? null;
  return row;
}

function withFound(input: DatasetSchema, { fields }: LookupConfig, lookup: Lookup): FieldSchema[] {
  const added = [...fields].map(
    ([name, from]): FieldSchema => ({ name, type: lookup.types.get(from) ?? 'text', nullable: true, spelled: true }),
  );
  return [...input.fields.filter(({ name }) => !fields.has(name)), ...added];
}

function refuseKeys({ fields }: LookupConfig, { key }: DatasetSchema, { problems, place }: LookupStageContext): void {
  for (const name of fields.keys()) {
    if (!key.includes(name)) continue;
    const hint = 'give what is found another name';
    problems.push({
      place: `${place}.fields.${name}`,
      message: `${name} identifies a record and must keep its value`,
      hint,
      severity: 'error',
    });
  }
}

/** A record's field as its schema spells it; one that there is not is a problem. */
function speller(step: LookupConfig, input: DatasetSchema, { problems, place, open }: LookupStageContext) {
  const exact = new Set(input.fields.map(({ name }) => name));
  const folded = new Map(input.fields.map(({ name }) => [name.toLowerCase(), name]));
  return (name: string): string => {
    const spelled = exact.has(name) ? name : folded.get(name.toLowerCase());
    if (spelled === undefined && !open) {
      const message = `${input.name} has no field ${name}, by which ${step.name} looks`;
      problems.push({ place, message, hint: 'check its spelling, and that the user may see it', severity: 'error' });
    }
    return spelled ?? name;
  };
}

function compileBy(by: FieldMapping, spell: (name: string) => string, context: StageContext) {
  if (by.kind === 'field') {
    const name = spell(by.field);
    return (row: Row): FieldValue => row[name] ?? null;
  }
  const expression = compileExpression(by.expression, context);
  const spelling = new Map((expression.reads ?? []).map((name) => [name, spell(name)]));
  return (row: Row) =>
    expression.evaluate(
      (name) => row[spelling.get(name) ?? name],
      () => row,
    );
}

function compileMatch(match: LookupMatch, spell: (name: string) => string, context: StageContext) {
  const spelling = new Map(match.record.map((name) => [name, spell(name)]));
  const own = (record: Row, name: string) => record[spelling.get(name) ?? name];
  if (match.expression === null) {
    const pairs = [...match.equal];
    return (found: Row, record: Row): boolean =>
      pairs.every(([theirs, ours]) => {
        const value = textOf(found[theirs]);
        return value !== null && value === textOf(own(record, ours));
      });
  }
  const expression = compileExpression(match.expression, context);
  return async (found: Row, record: Row): Promise<boolean> => {
    const verdict = await expression.evaluate(
      (name) => (name.startsWith('found.') ? found[name.slice('found.'.length)] : own(record, name.slice('record.'.length))),
      () => {
        throw new RequestRefusedError('a match tells which fields it looks at');
      },
    );
    return verdict === true;
  };
}
