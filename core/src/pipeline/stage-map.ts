import type { Problem } from '../base/errors.ts';
import type { FieldMapping } from '../config/config.ts';
import { compileExpression, type Expression } from '../expression/expression.ts';
import type { Column } from '../model/block.ts';
import type { DatasetSchema, FieldSchema } from '../model/schema.ts';
import { TextWriter } from '../model/text-writer.ts';
import { type FieldType, type FieldValue, newRow, textOf } from '../model/value.ts';
import { type BlockReader, blockReader } from './block-reader.ts';
import { failureOf, type Item, type Stage, type StageContext, type StepFailure } from './stage.ts';

/** Where one field of the result comes from. */
type Origin =
  | { readonly kind: 'field'; readonly name: string; readonly index: number }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly type: FieldType };

/**
 * `fields:` and `map:` steps: the fields of the result, each from a field as it is or from an expression. What identifies a
 * record comes along even when the mapping does not name it, for without it nothing could be updated.
 */
export function mapStage(
  step: {
    readonly name: string;
    readonly fields: ReadonlyMap<string, FieldMapping> | null;
    readonly exclude: readonly string[];
    /** Names of key fields afterwards, where a field that identifies a record is mapped to several. */
    readonly key?: readonly string[] | null;
  },
  input: DatasetSchema,
  context: StageContext & { readonly problems: Problem[]; readonly place: string; readonly open: boolean },
): Stage {
  const find = fieldFinder(input);
  const fields: FieldSchema[] = [];
  const origins: Origin[] = [];
  const add = (field: FieldSchema, origin: Origin) => {
    fields.push(field);
    origins.push(origin);
  };

  const mapping = step.fields ?? everyField(input, step.exclude, find);
  const keyNames = new Map<string, string>();
  for (const [name, from] of mapping) {
    if (from.kind === 'expression') {
      const expression = compileExpression(from.expression, context);
      for (const read of expression.reads ?? []) reportUnknown(read, name);
      add(
        { name, type: expression.type, nullable: true, spelled: true },
        { kind: 'expression', expression, type: expression.type },
      );
      continue;
    }
    const index = find(from.field);
    if (index < 0) {
      reportUnknown(from.field, name);
      add({ name, type: 'text', nullable: true, spelled: true }, { kind: 'field', name: from.field, index });
    } else {
      const field = input.fields[index]!;
      const isWanted = step.key?.includes(name) ?? false;
      if (input.key.includes(field.name) && (isWanted || !keyNames.has(field.name))) keyNames.set(field.name, name);
      add({ ...field, name, ...(step.fields === null ? {} : { spelled: true }) }, { kind: 'field', name: field.name, index });
    }
  }
  for (const key of input.key) {
    if (keyNames.has(key)) continue;
    if (mapping.has(key)) {
      context.problems.push({
        place: context.place,
        message: `${key} identifies a record and must keep its value`,
        hint: `map ${key} to a column as it is, and give the computed value another name`,
        severity: 'error',
      });
      continue;
    }
    const index = find(key);
    keyNames.set(key, key);
    add(input.fields[index]!, { kind: 'field', name: key, index });
  }

  function reportUnknown(field: string, target: string): void {
    if (context.open || find(field) >= 0) return;
    context.problems.push({
      place: `${context.place}.${target}`,
      message: `${input.name} has no field ${field}`,
      hint: 'check its spelling, and that the user may see it',
      severity: 'error',
    });
  }

  const schema: DatasetSchema = { name: input.name, fields, key: input.key.map((key) => keyNames.get(key) ?? key) };
  return {
    name: step.name,
    schema,

    async items(items) {
      const mapped: Item[] = [];
      const failures: StepFailure[] = [];
      for (const item of items) {
        try {
          const row = newRow();
          for (let c = 0; c < fields.length; c++) {
            const origin = origins[c]!;
            row[fields[c]!.name] =
              origin.kind === 'field'
                ? (item.row[origin.name] ?? null)
                : asType(
                    await origin.expression.evaluate(
                      (field) => item.row[field],
                      () => item.row,
                    ),
                    origin.type,
                  );
          }
          mapped.push({ ...item, row });
        } catch (error) {
          failures.push(failureOf(item, step.name, error));
        }
      }
      return { items: mapped, dropped: [], failures };
    },

    async block(block) {
      const columns: Column[] = [];
      const reader = blockReader(block, input);
      for (const origin of origins) {
        if (origin.kind === 'field') {
          columns.push(origin.index < 0 ? { kind: 'constant', value: null } : block.columns[origin.index]!);
          continue;
        }
        try {
          columns.push(await computed(block.rowCount, origin, reader));
        } catch {
          return null;
        }
      }
      return { block: { rowCount: block.rowCount, columns }, kept: null };
    },
  };
}

async function computed(
  rowCount: number,
  { expression, type }: { readonly expression: Expression; readonly type: FieldType },
  reader: BlockReader,
): Promise<Column> {
  const texts = type === 'text' ? new TextWriter(rowCount) : null;
  const values: FieldValue[] = [];
  for (reader.row = 0; reader.row < rowCount; reader.row++) {
    const result = expression.evaluate(reader.get, reader.all);
    const value = result instanceof Promise ? await result : result;
    if (texts === null) values.push(value);
    else texts.add(textOf(value));
  }
  return texts === null ? { kind: 'values', values } : texts.column();
}

/** A text column takes whatever an expression yields, in its canonical text. */
function asType(value: FieldValue, type: FieldType): FieldValue {
  return type === 'text' && typeof value !== 'string' ? textOf(value) : value;
}

function everyField(
  input: DatasetSchema,
  exclude: readonly string[],
  find: (name: string) => number,
): ReadonlyMap<string, FieldMapping> {
  const out = new Set(exclude.map(find));
  return new Map(input.fields.flatMap((field, i) => (out.has(i) ? [] : [[field.name, { kind: 'field', field: field.name }]])));
}

/** Salesforce takes a field's name in any case, so a mapping may spell it in any; an exact match comes first. */
function fieldFinder(schema: DatasetSchema): (name: string) => number {
  const exact = new Map(schema.fields.map((field, i) => [field.name, i]));
  const folded = new Map(schema.fields.map((field, i) => [field.name.toLowerCase(), i]));
  return (name) => exact.get(name) ?? folded.get(name.toLowerCase()) ?? -1;
}
