import { Mark, Table, Text } from '@mantine/core';
import { ValueText } from './ValueText.tsx';

interface FieldTableProps {
  readonly label: string;
  /** A row for each side or time; null where there is none. */
  readonly columns: readonly { readonly title: string; readonly row: Readonly<Record<string, unknown>> | null }[];
  /** Fields to show; all of them otherwise. */
  readonly only?: readonly string[];
}

/** Records side by side, field by field. Fields in which they differ come first, and are marked. */
export function FieldTable({ label, columns, only }: FieldTableProps) {
  const names = only ?? [...new Set(columns.flatMap(({ row }) => Object.keys(row ?? {})))];
  const texts = (name: string) => columns.map(({ row }) => (row === null ? undefined : JSON.stringify(row[name] ?? null)));
  const differs = (name: string) => new Set(texts(name)).size > 1;
  const sorted = names.toSorted((a, b) => Number(differs(b)) - Number(differs(a)));
  return (
    <Table.ScrollContainer minWidth={320} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table withTableBorder aria-label={label} layout="fixed">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Field</Table.Th>
            {columns.map(({ title }) => (
              <Table.Th key={title}>{title}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sorted.map((name) => (
            <Table.Tr key={name}>
              <Table.Th scope="row">
                {differs(name) ? <Mark>{name}</Mark> : name}
                {differs(name) && <span className="visually-hidden"> (differs)</span>}
              </Table.Th>
              {columns.map(({ title, row }) => (
                <Table.Td key={title}>{row === null ? <Text size="sm">–</Text> : <ValueText value={row[name]} />}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
