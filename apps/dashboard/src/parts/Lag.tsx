import type { SyncOverviewShape } from '@tidemark/core/api';
import { Ago } from './Ago.tsx';
import { durationText } from './texts.ts';

/** How far behind its source a sync is: of a stream by its events, of polls by when one succeeded last. */
export function Lag({ sync: { stream, lastSuccessAtMs } }: { sync: SyncOverviewShape }) {
  if (stream !== null && stream.lagMs !== null) return `${durationText(stream.lagMs)} behind`;
  if (stream !== null) return stream.state;
  return lastSuccessAtMs === null ? 'never yet' : <Ago ms={lastSuccessAtMs} />;
}
