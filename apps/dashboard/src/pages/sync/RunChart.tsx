import '@mantine/charts/styles.css';
import { BarChart } from '@mantine/charts';
import { Card, Group, SegmentedControl, Text } from '@mantine/core';
import type { RunShape } from '@tidemark/core/api';
import { useState } from 'react';
import { durationText, instantText, numberText } from '../../parts/texts.ts';

type Measure = 'records' | 'duration' | 'failures';

const measures: Record<Measure, { series: { name: string; label: string; color: string }[]; value: (n: number) => string }> = {
  records: {
    series: [
      { name: 'created', label: 'created', color: 'teal.7' },
      { name: 'updated', label: 'updated', color: 'blue.6' },
      { name: 'deleted', label: 'deleted', color: 'grape.5' },
    ],
    value: numberText,
  },
  duration: { series: [{ name: 'ms', label: 'duration', color: 'blue.6' }], value: durationText },
  failures: { series: [{ name: 'failed', label: 'failed records', color: 'red.7' }], value: numberText },
};

/** The latest runs, the oldest of them to the left. What it draws stands in the table below as well. */
export default function RunChart({ runs }: { runs: readonly RunShape[] }) {
  const [measure, setMeasure] = useState<Measure>('records');
  const { series, value } = measures[measure];
  const data = runs.toReversed().map(({ startedAtMs, finishedAtMs, counts: { created, updated, deleted, failed } }) => ({
    at: instantText(startedAtMs),
    ...{ created, updated, deleted, failed },
    ms: finishedAtMs === null ? 0 : finishedAtMs - startedAtMs,
  }));
  return (
    <Card withBorder>
      <Group justify="space-between" mb="sm">
        <Text fw={600}>The latest {runs.length === 1 ? 'run' : `${runs.length} runs`}</Text>
        <SegmentedControl
          size="xs"
          aria-label="what the chart shows"
          value={measure}
          onChange={(chosen) => setMeasure(chosen as Measure)}
          data={[
            { value: 'records', label: 'Records' },
            { value: 'duration', label: 'Duration' },
            { value: 'failures', label: 'Failures' },
          ]}
        />
      </Group>
      <div role="img" aria-label={`${measure} of the latest runs`}>
        <BarChart
          h={220}
          data={data}
          dataKey="at"
          series={series}
          type="stacked"
          valueFormatter={value}
          withXAxis={false}
          barChartProps={{ accessibilityLayer: false }}
          maxBarWidth={40}
          barProps={{ isAnimationActive: false }}
        />
      </div>
    </Card>
  );
}
