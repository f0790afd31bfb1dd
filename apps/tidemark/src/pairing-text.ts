import type { Conflict, FieldValue, NewConflict, PairingConfig, PairingPlan } from '@tidemark/core';
import { formatTime, renderTable } from './table.ts';

/** What a first run of a two-way sync would do, for people. */
export function renderPairingPlan({ name, left, right }: PairingConfig, plan: PairingPlan): string {
  const effects = (['left', 'right'] as const).map((side) => {
    const { created, updated, deleted } = plan[side];
    const { connection } = side === 'left' ? left : right;
    return `  ${connection}: ${created} created, ${updated} updated, ${deleted} deleted`;
  });
  const conflicts =
    plan.conflicts === 0 ? [] : [`  ${plan.conflicts} disagreements, the first of them:`, renderConflicts(plan.shown)];
  return [
    `${name}: a full run would look at ${plan.read} records and write nothing but this:`,
    `  ${plan.linked} found on both sides for the first time`,
    ...effects,
    ...(plan.failed === 0 ? [] : [`  ${plan.failed} that cannot be told from others, which become failures`]),
    ...conflicts,
    '',
  ].join('\n');
}

export function renderConflicts(conflicts: readonly (NewConflict & Partial<Pick<Conflict, 'id'>>)[]): string {
  return renderTable(
    ['id', 'sync', 'record', 'field', 'was', 'first side', 'second side', 'state', 'stands', 'since', 'why'],
    conflicts.map((conflict) => [
      conflict.id ?? '',
      conflict.sync,
      `${conflict.leftKey} / ${conflict.rightKey}`,
      conflict.field ?? '(the record)',
      conflict.field === null ? '' : valueText(conflict.base),
      conflict.field === null ? presence(conflict.left) : valueText(conflict.left),
      conflict.field === null ? presence(conflict.right) : valueText(conflict.right),
      conflict.state,
      conflict.state === 'open' ? '' : valueText(conflict.outcome),
      formatTime(conflict.atMs),
      conflict.why,
    ]),
  );
}

function presence(row: FieldValue): string {
  return row === null ? 'deleted' : 'there';
}

function valueText(value: FieldValue): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : value === null ? 'null' : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
