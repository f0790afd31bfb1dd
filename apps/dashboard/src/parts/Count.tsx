import { Badge } from '@mantine/core';
import { numberText } from './texts.ts';

/** How many things wait for somebody. */
export function Count({ of }: { of: number }) {
  return (
    <Badge color="red.9" variant="filled" size="sm" circle={of < 10}>
      {numberText(of)}
    </Badge>
  );
}
