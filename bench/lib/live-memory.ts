import type pg from 'pg';
import { visible } from './live-copy.ts';
import { changeAt } from './live-events.ts';
import type { OrgQuestion, Produced } from './live-org-process.ts';
import type { LiveMemory, LiveQuestion } from './live-process.ts';
import type { SpokenChild } from './spoken-child.ts';

/** What one process holds after each of many backlogs that it takes one after the other. */
export async function memoryOver(
  child: SpokenChild,
  database: pg.Client,
  produce: (question: OrgQuestion) => Promise<Produced>,
  { backlogs, events }: { readonly backlogs: number; readonly events: number },
): Promise<LiveMemory[]> {
  await using tidemark = child;
  await tidemark.next();
  const held: LiveMemory[] = [];
  for (let backlog = 0; backlog < backlogs; backlog++) {
    const { first, ids } = await produce({ kind: 'produce', events });
    const last = first + events - 1;
    await visible(database, changeAt(last, ids).id, last);
    held.push(await tidemark.ask<LiveMemory>({ kind: 'memory' } satisfies LiveQuestion));
  }
  await tidemark.ask({ kind: 'stop' } satisfies LiveQuestion);
  return held;
}
