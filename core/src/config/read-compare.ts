import type { Path } from './located-yaml.ts';
import { isBlock } from './read-connections.ts';
import type { Report } from './report.ts';
import { stepKinds, stepSchemas } from './schema.ts';

/** Whether this step is a comparison and nothing else. */
export function isComparison(step: unknown): boolean {
  return isBlock(step) && stepKinds.filter((kind) => kind in step).join() === 'compare';
}

/** Whether one of the steps is a comparison, right or wrong. */
export function comparesTarget(steps: unknown): boolean {
  return Array.isArray(steps) && steps.some(isComparison);
}

/**
 * A `compare:` step is about what arrives in the target, mapped as it is there: nothing can come behind it.
 */
export function readCompare(steps: readonly unknown[], path: Path, report: Report): boolean {
  let found = false;
  for (const [i, step] of steps.entries()) {
    if (!isComparison(step)) continue;
    found = true;
    report.parse(stepSchemas.compare, step, [...path, i]);
    if (i < steps.length - 1) {
      report.error([...path, i, 'compare'], 'has to be the last step', 'it compares what arrives in the target', 'key');
    }
  }
  return found;
}
