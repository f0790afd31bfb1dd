import { NothingWaitsError } from '@tidemark/testkit/simulation';
import type { Outcome } from './simulation.ts';

/** What a world found wrong, in lines. */
export class Wrong extends Error {}

/** One world from its beginning to its end, whatever comes of it. */
export async function outcomeOf(world: {
  live(): Promise<void>;
  close(): Promise<void>;
  outcome(failure: readonly string[]): Outcome;
}): Promise<Outcome> {
  let failure: readonly string[] = [];
  try {
    await world.live();
  } catch (error) {
    if (error instanceof Wrong) failure = error.message.split('\n');
    else if (error instanceof NothingWaitsError) failure = ['everybody waits for somebody else'];
    else failure = [`${(error as Error).stack ?? error}`];
  } finally {
    await world.close();
  }
  return world.outcome(failure);
}
