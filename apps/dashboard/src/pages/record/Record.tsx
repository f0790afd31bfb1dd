import { Anchor, Card, Stack, Text, Title } from '@mantine/core';
import type { RecordShape } from '@tidemark/core/api';
import { Link } from 'wouter';
import { useRecord, useSync } from '../../api/queries.ts';
import { toSync } from '../../app/addresses.ts';
import { FieldTable } from '../../parts/FieldTable.tsx';
import { Page } from '../../parts/Page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { fieldsOfBoth } from './fields-of-both.ts';
import { Story } from './Story.tsx';

/** One record on both sides: as it is now, and what has happened to it as far as that was kept. */
export default function Record({ sync, recordKey }: { sync: string; recordKey: string }) {
  return (
    <Page title={`Record ${recordKey}`}>
      <Text size="sm">
        Of{' '}
        <Anchor component={Link} href={toSync(sync)} size="sm">
          {sync}
        </Anchor>
      </Text>
      <Loaded query={useRecord(sync, recordKey)}>{(record) => <Known record={record} />}</Loaded>
    </Page>
  );
}

function Known({ record: { sync, sides, story, lookedThrough } }: { record: RecordShape }) {
  const outline = useSync(sync).data?.outline;
  return (
    <Stack gap="lg">
      <Card withBorder>
        <Title order={2} size="h4" mb="sm">
          As it is now
        </Title>
        {sides.map(({ name, error, row }) =>
          error !== null || row === null ? (
            <Text key={name} size="sm" mb="xs">
              {name}: {error ?? 'there is no such record'}
            </Text>
          ) : null,
        )}
        <FieldTable
          label="the record on both sides"
          columns={sides.map(({ name }) => name)}
          fields={fieldsOfBoth(sides[0]?.row ?? {}, sides.at(-1)?.row ?? {}, outline?.fields ?? null)}
        />
      </Card>
      <Card withBorder>
        <Title order={2} size="h4" mb="sm">
          What has happened
        </Title>
        <Story entries={story} />
        {lookedThrough !== null && (
          <Text size="sm" c="dimmed" mt="sm">
            {lookedThrough}
          </Text>
        )}
      </Card>
    </Stack>
  );
}
