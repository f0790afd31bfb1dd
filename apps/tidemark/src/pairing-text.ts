import type { Conflict, FieldValue, FoundPair, NewConflict, PairingConfig, PairingPlan, PlannedPairWrite } from '@tidemark/core';
import { callWords, type FirstOf, moreLine, valueText, writeLine } from './dry-run-text.ts';
import { formatTime, renderTable } from './table.ts';
import type { Paint } from './terminal.ts';

/** What the next run of a two-way sync would do, for people. */
export function renderPairingPlan(
  { name, left, right }: PairingConfig,
  plan: PairingPlan,
  { links, writes }: { readonly links: FirstOf<FoundPair>; readonly writes: FirstOf<PlannedPairWrite> },
  paint: Paint,
): string {
  const effects = (['left', 'right'] as const).map((side) => {
    const { created, updated, deleted } = plan[side];
    const { connection } = side === 'left' ? left : right;
    return `  ${connection}: ${created} created, ${updated} updated, ${deleted} deleted`;
  });
  const why = plan.reason === null ? '' : ` (${plan.reason})`;
  const lines = [
    `${paint('bold', name)}: a ${plan.kind} run${why} would look at ${plan.read} records and write this; nothing was written`,
    `  ${plan.linked} found on both sides for the first time`,
    ...effects,
    ...(plan.failed === 0 ? [] : [`  ${plan.failed} that would become failures`]),
    ...(plan.calls === null ? [] : [`  API calls: ${callWords(plan.calls)}`]),
    ...links.first.map((found) => `  = link ${left.connection} ${found.left} with ${right.connection} ${found.right}`),
    ...moreLine(links.total - links.first.length, paint),
    ...writes.first.map((write) => `  ${writeLine(write, paint, write.side)}`),
    ...moreLine(writes.total - writes.first.length, paint),
    ...(plan.conflicts === 0 ? [] : [`  ${plan.conflicts} disagreements, the first of them:`, renderConflicts(plan.shown)]),
  ];
  return `${lines.join('\n')}\n`;
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
      stateWords[conflict.state],
      conflict.state === 'open' ? '' : valueText(conflict.outcome),
      formatTime(conflict.atMs),
      conflict.why,
    ]),
  );
}

/** One conflict in full, with its sides by the names of their connections while the sync is configured. */
export function renderConflict(conflict: Conflict, pairing: PairingConfig | undefined): string {
  const value = (of: FieldValue) => JSON.stringify(of, null, 2).replaceAll('\n', '\n    ');
  const [first, second] = [pairing?.left.connection ?? 'first side', pairing?.right.connection ?? 'second side'];
  const lines: readonly (readonly [string, FieldValue])[] = [
    ['agreed before', conflict.base],
    [first, conflict.left],
    [second, conflict.right],
    ...(conflict.state === 'open' ? [] : [['stands', conflict.outcome] as const]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length)) + 2;
  return [
    `${conflict.sync}: ${conflict.leftKey} / ${conflict.rightKey}, ${conflict.field ?? 'the record itself'}`,
    `  ${stateWords[conflict.state]}: ${conflict.why}`,
    ...lines.map(([name, of]) => `  ${`${name}:`.padEnd(width)}${value(of)}`),
    '',
  ].join('\n');
}

/** An overwrite that is under way is concluded within its run, or, should that break off, by the next one. */
const stateWords = { open: 'open', writing: 'being written', settled: 'settled' } as const;

function presence(row: FieldValue): string {
  return row === null ? 'deleted' : 'there';
}
