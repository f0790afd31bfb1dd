import { List, Text } from '@mantine/core';
import type { ProblemShape } from '@tidemark/core/api';

/** What is wrong, where, and what to do. */
export function Problems({ problems }: { problems: readonly ProblemShape[] }) {
  return (
    <List size="sm" spacing="xs">
      {problems.map(({ place, message, hint, severity }) => (
        <List.Item key={`${place} ${message}`}>
          <Text size="sm">
            {severity === 'warning' ? 'Warning: ' : ''}
            {place}: {message}
          </Text>
          {hint !== undefined && (
            <Text size="sm" c="dimmed">
              {hint}
            </Text>
          )}
        </List.Item>
      ))}
    </List>
  );
}
