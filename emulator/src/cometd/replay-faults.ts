import { InvalidReplayIdError } from '../events/types.ts';
import type { FaultList } from '../faults/fault-list.ts';

/** The replay id as it came, unless a fault says that it is retained no longer. @throws {InvalidReplayIdError} */
export function replayStruck(faults: FaultList, topic: string, replayId: number): number {
  const named = replayId >= 0 && faults.fire('event', 'REPLAY', topic).some(({ kind }) => kind === 'expired-replay-id');
  if (named) throw new InvalidReplayIdError(`replay id ${replayId} is retained no longer`);
  return replayId;
}
