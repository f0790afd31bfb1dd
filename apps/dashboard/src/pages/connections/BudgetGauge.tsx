import { Alert, Progress, Stack, Text } from '@mantine/core';
import type { BudgetShape } from '@tidemark/core/api';
import { Ago } from '../../parts/Ago.tsx';
import { NameValues } from '../../parts/NameValues.tsx';
import { counted, numberText } from '../../parts/texts.ts';

/** How the API calls of a day stand: ours of our share, everybody's of the org's, and when ours will be used up (P8). */
export function BudgetGauge({
  budget: { share, reserve, ours, byPriority, system, perHour, spentAtMs, waiting },
}: {
  budget: BudgetShape;
}) {
  return (
    <Stack gap="xs">
      <Gauge label="our calls of our share" used={ours} max={share} />
      <Gauge label="calls of everybody" used={system.used} max={system.max} />
      <Text size="sm">
        {counted(Math.round(perHour), 'call')} an hour:{' '}
        {spentAtMs === null ? (
          'our share lasts for the day.'
        ) : (
          <>
            our share will be used up <Ago ms={spentAtMs} />. Live work goes on from the reserve of {numberText(reserve)}.
          </>
        )}
      </Text>
      {waiting.length > 0 && (
        <Alert color="orange" title="Work waits until calls are free again">
          <NameValues
            values={Object.fromEntries(waiting.map(({ priority, untilMs }) => [priority, <Ago key={priority} ms={untilMs} />]))}
          />
        </Alert>
      )}
      <Text size="sm">Ours of the last day, by what they were for:</Text>
      <NameValues values={Object.fromEntries(Object.entries(byPriority).map(([name, calls]) => [name, numberText(calls)]))} />
    </Stack>
  );
}

const HIGH = 0.75;
const FULL = 0.95;

function Gauge({ label, used, max }: { label: string; used: number; max: number }) {
  const part = max === 0 ? 0 : used / max;
  return (
    <div>
      <Text size="sm">
        {label}: {numberText(used)} of {numberText(max)}
      </Text>
      <Progress.Root size="lg">
        <Progress.Section
          value={Math.min(part, 1) * 100}
          color={part >= FULL ? 'red' : part >= HIGH ? 'orange' : 'blue'}
          aria-label={label}
          aria-valuetext={`${numberText(used)} of ${numberText(max)}`}
        />
      </Progress.Root>
    </div>
  );
}
