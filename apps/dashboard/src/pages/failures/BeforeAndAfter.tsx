import { Text } from '@mantine/core';
import type { FailureShape, RecordShape } from '@tidemark/core/api';
import { useRecord } from '../../api/queries.ts';
import type { ComparedField } from '../../parts/compared-field.ts';
import { FieldTable } from '../../parts/FieldTable.tsx';
import { Waiting } from '../../parts/states.tsx';

/** What the target holds of a record, and what it would hold if it had taken it. */
export function BeforeAndAfter({ failure: { sync, key, op, row } }: { failure: FailureShape }) {
  const { data, isPending, error } = useRecord(sync, key);
  if (isPending) return <Waiting />;
  const before = data?.sides.at(-1);
  if (op === 'delete') return <Text size="sm">It would be deleted.</Text>;
  return (
    <>
      <Text size="sm" c="dimmed" mb="xs">
        {beforeText(before, error)}
      </Text>
      <FieldTable
        label="fields before and after"
        columns={['before', 'after']}
        fields={fieldsOf(before?.row ?? null, row ?? {})}
      />
    </>
  );
}

function beforeText(before: RecordShape['sides'][number] | undefined, error: Error | null): string {
  if (before === undefined) return `What the target holds could not be read: ${error?.message ?? 'it does not tell'}`;
  if (before.error !== null) return `What ${before.name} holds could not be read: ${before.error}`;
  return before.row === null ? `${before.name} has no such record yet.` : `As ${before.name} holds it now, and as it would be.`;
}

/** Fields that would be written, and no other: what a record has besides is not at stake. */
function fieldsOf(before: FailureShape['row'], after: NonNullable<FailureShape['row']>): readonly ComparedField[] {
  return Object.entries(after).map(([name, value]) => ({ name, values: [before?.[name], value] }));
}
