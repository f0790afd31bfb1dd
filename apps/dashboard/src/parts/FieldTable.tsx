import { Mark, Table } from '@mantine/core';
import type { ComparedField } from './compared-field.ts';
import { ValueText } from './ValueText.tsx';

interface FieldTableProps {
  readonly label: string;
  readonly columns: readonly string[];
  readonly fields: readonly ComparedField[];
}

/** Records side by side, field by field. Fields in which they differ come first, and are marked. */
export function FieldTable({ label, columns, fields }: FieldTableProps) {
  const sorted = fields.toSorted((a, b) => Number(differs(b)) - Number(differs(a)));
  return (
    <Table.ScrollContainer minWidth={320} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table withTableBorder aria-label={label} layout="fixed">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Field</Table.Th>
            {columns.map((title) => (
              <Table.Th key={title}>{title}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sorted.map((field) => (
            <Table.Tr key={field.name}>
              <Table.Th scope="row">
                {differs(field) ? <Mark>{field.name}</Mark> : field.name}
                {differs(field) && <span className="visually-hidden"> (differs)</span>}
              </Table.Th>
              {columns.map((title, column) => (
                <Table.Td key={title}>
                  <ValueText value={field.values[column]} />
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** What is not there differs from nothing. */
function differs({ values }: ComparedField): boolean {
  const there = values.filter((value) => value !== undefined);
  return new Set(there.map((value) => JSON.stringify(value))).size > 1;
}
