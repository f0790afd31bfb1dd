import { Text } from '@mantine/core';

/** A value of a record. Empty, absent and the text "null" do not look alike. */
export function ValueText({ value }: { value: unknown }) {
  if (value === undefined) return <Faint>not there</Faint>;
  if (value === null) return <Faint>empty</Faint>;
  if (value === '') return <Faint>empty text</Faint>;
  return (
    <Text size="sm" component="span" style={{ whiteSpace: 'pre-wrap' }}>
      {typeof value === 'string' ? value : JSON.stringify(value)}
    </Text>
  );
}

function Faint({ children }: { children: string }) {
  return (
    <Text size="sm" component="span" c="dimmed" fs="italic">
      {children}
    </Text>
  );
}
