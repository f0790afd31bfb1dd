import type { StepConfig } from '../config/config.ts';
import { compileExpression } from '../expression/expression.ts';
import { takeRows } from '../model/block.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { blockReader } from './block-reader.ts';
import { failureOf, type Item, type Stage, type StageContext, type StepFailure } from './stage.ts';

/** Records go on for which the expression is true. */
export function filterStage(step: Extract<StepConfig, { kind: 'filter' }>, schema: DatasetSchema, context: StageContext): Stage {
  const expression = compileExpression(step.expression, context);
  return {
    name: step.name,
    schema,

    async items(items) {
      const kept: Item[] = [];
      const dropped: Item[] = [];
      const failures: StepFailure[] = [];
      for (const item of items) {
        try {
          const verdict = await expression.evaluate(
            (field) => item.row[field],
            () => item.row,
          );
          (verdict === true ? kept : dropped).push(item);
        } catch (error) {
          failures.push(failureOf(item, step.name, error));
        }
      }
      return { items: kept, dropped, failures };
    },

    async block(block) {
      const reader = blockReader(block, schema);
      const kept: number[] = [];
      try {
        for (reader.row = 0; reader.row < block.rowCount; reader.row++) {
          const verdict = expression.evaluate(reader.get, reader.all);
          if ((verdict instanceof Promise ? await verdict : verdict) === true) kept.push(reader.row);
        }
      } catch {
        return null;
      }
      return kept.length === block.rowCount ? { block, kept: null } : { block: takeRows(block, kept), kept };
    },
  };
}
