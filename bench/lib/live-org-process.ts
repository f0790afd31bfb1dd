import { setTimeout as sleep } from 'node:timers/promises';
import { startEmulator } from '@tidemark/emulator';
import { input } from './child.ts';
import { spentMs } from './cpu.ts';
import { changeAt, eventsPerTransaction, type LiveEvent } from './live-events.ts';
import { answer } from './spoken-child.ts';

export type OrgQuestion =
  /** Writes so many updates at once. Every ten are one transaction. */
  | { readonly kind: 'produce'; readonly events: number }
  /** Writes one update a time, at a steady rate. */
  | { readonly kind: 'steady'; readonly perSecond: number; readonly seconds: number }
  /** What the process has spent so far. */
  | { readonly kind: 'cpu' };

export interface Produced {
  /** Where the stream stood before. */
  readonly after: number;
  readonly ids: readonly string[];
  /** The number of the first event; the others follow. */
  readonly first: number;
  /** Epoch ms of each commit; only of steady ones. */
  readonly committedAtMs: readonly number[];
}

/** An org whose contacts change on demand. */
const { contacts, events } = input<{ contacts: number; events: number }>();
await using emulator = await startEmulator({
  fill: { Contact: contacts },
  changeEvents: ['Contact'],
  limits: { DailyApiRequests: 10_000_000, DailyDeliveredPlatformEvents: 1_000_000 + events * 20 },
}).then((started) => Object.assign(started, { [Symbol.asyncDispose]: () => started.close() }));
const ids: string[] = [];
const found = emulator.org.query('SELECT Id FROM Contact ORDER BY Id');
for (let offset = 0; offset < found.totalSize; offset += 2000) {
  for (const row of found.page(offset, 2000, 'v62.0') as { Id: string }[]) ids.push(row.Id);
}
let written = 0;
answer(emulator.credentials);
process.on('message', async (question: OrgQuestion) => {
  if (question.kind === 'cpu') {
    answer({ cpuMs: spentMs() });
    return;
  }
  const after = emulator.events.latestReplayId();
  const first = written;
  const committedAtMs: number[] = [];
  if (question.kind === 'produce') {
    const end = written + question.events;
    while (written < end) write(Math.min(eventsPerTransaction, end - written));
  } else {
    const startedAtMs = performance.now();
    for (let i = 0; i < question.perSecond * question.seconds; i++) {
      const waitMs = startedAtMs + (i * 1000) / question.perSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      write(1);
      committedAtMs.push(performance.timeOrigin + performance.now());
    }
  }
  answer({ after, first, ids, committedAtMs } satisfies Produced);
});
await new Promise((resolve) => process.on('disconnect', resolve));

function write(count: number): void {
  const changes: LiveEvent[] = [];
  for (let i = 0; i < count; i++) changes.push(changeAt(written++, ids));
  emulator.org.write((transaction) => {
    for (const { id, fields } of changes) transaction.update('Contact', id, fields);
  });
}
