import { Text } from '@mantine/core';
import { counted, numberText } from './texts.ts';

interface HowManyProps {
  readonly shown: number;
  /** Null: more than these, and nobody knows how many. */
  readonly total: number | null;
  /** Of one, as in `1 failure`. */
  readonly of: string;
  /** In which order they stand. */
  readonly order: string;
}

/** How much of a list is shown, and never that it is all when it is not. */
export function HowMany({ shown, total, of, order }: HowManyProps) {
  const amount = total === null ? `The first ${counted(shown, of)}` : `${numberText(shown)} of ${counted(total, of)}`;
  return (
    <Text size="sm" c="dimmed" role="status">
      {shown === total ? counted(shown, of) : `${amount}; more come as you scroll`}. {order}
    </Text>
  );
}
