import { Card, Group, List, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import type { OutlineShape, SyncDetail } from '@tidemark/core/api';
import { NameValues } from '../../parts/NameValues.tsx';

/** What each block of a sync does, which field becomes which, and by what rules. */
export function MadeOf({ detail: { outline, checkpoint, stream } }: { detail: SyncDetail }) {
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {outline.blocks.map((block, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks do not move, and two may be alike.
          <Block key={index} block={block} />
        ))}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <Facts title="When and how" facts={outline.settings} />
        <Facts title="How far it has come" facts={checkpoint} />
        {stream !== null && <Facts title="Its stream" facts={streamFacts(stream)} />}
      </SimpleGrid>
      <Fields fields={outline.fields} />
    </Stack>
  );
}

function Block({ block: { kind, title, connection, lines, notes } }: { block: OutlineShape['blocks'][number] }) {
  return (
    <Card withBorder>
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <Title order={2} size="h5">
          {title}
        </Title>
        <Text size="xs" c="dimmed">
          {connection === null ? kind : `${connection.type} ${kind}`}
        </Text>
      </Group>
      {notes !== null && <Text size="sm">{notes}</Text>}
      {lines.length > 0 && (
        <List size="sm">
          {lines.map((line) => (
            <List.Item key={line}>{line}</List.Item>
          ))}
        </List>
      )}
    </Card>
  );
}

function Facts({ title, facts }: { title: string; facts: Readonly<Record<string, string>> }) {
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        {title}
      </Title>
      {Object.keys(facts).length === 0 ? (
        <Text size="sm" c="dimmed">
          nothing to tell yet
        </Text>
      ) : (
        <NameValues values={facts} />
      )}
    </Card>
  );
}

function streamFacts(stream: NonNullable<SyncDetail['stream']>): Record<string, string> {
  const { state, transport, events, transactions, reconnects, healed, waiting } = stream;
  return {
    state,
    ...(transport === null ? {} : { by: transport }),
    events: `${events} in ${transactions} transactions, ${waiting} waiting`,
    reconnects: String(reconnects),
    'holes mended': String(healed.lost + healed.gap + healed.overflow),
  };
}

function Fields({ fields }: { fields: OutlineShape['fields'] }) {
  if (fields === null) return <Text size="sm">All fields, under their own names.</Text>;
  const haveRules = fields.some(({ rule }) => rule !== '');
  return (
    <Table.ScrollContainer minWidth={360} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table withTableBorder captionSide="top">
        <Table.Caption>Fields</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Field</Table.Th>
            <Table.Th>Comes from</Table.Th>
            {haveRules && <Table.Th>Rule</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {fields.map(({ target, source, rule }) => (
            <Table.Tr key={`${target} ${source}`}>
              <Table.Td>{target}</Table.Td>
              <Table.Td>{source}</Table.Td>
              {haveRules && <Table.Td>{rule}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
