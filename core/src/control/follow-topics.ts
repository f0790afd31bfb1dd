import { RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import { Journal } from '../pipeline/live/journal.ts';
import { LiveProgress } from '../pipeline/live/live-status.ts';
import { closeSync } from '../pipeline/opened-sync.ts';
import { PlainWriter } from '../pipeline/topic/plain-writer.ts';
import { type OpenedTopic, runTopic } from '../pipeline/topic/run-topic.ts';
import { TopicSync } from '../pipeline/topic/topic-sync.ts';
import { type FollowOptions, liveUnit, publishUntilEnded } from './follow-streams.ts';

/** Syncs whose source is nothing but events. */
export type TopicOptions = Omit<FollowOptions, 'reread' | 'heldUntilMs' | 'poll' | 'paused'>;

/**
 * Follows the topics of all syncs that have one. Each is a subscription of its own: one that is paused or reset leaves the others
 * alone, and what it has not taken waits for it at the source.
 */
export function followTopics(options: TopicOptions): { status: readonly LiveProgress[]; ended: Promise<unknown> } {
  const units = options.syncs.map((sync) => ({
    sync,
    status: new LiveProgress(liveUnit(sync), [sync.name], options.clock, { polls: false }),
  }));
  const ended = units.map(({ sync, status }) =>
    runTopic({ ...options, unit: liveUnit(sync), status, open: (signal) => openTopic(sync, options, signal) }),
  );
  const published = units.map(({ status }, i) => publishUntilEnded(status, ended[i]!, options));
  return { status: units.map(({ status }) => status), ended: Promise.all([...ended, ...published]) };
}

async function openTopic(sync: SyncConfig, options: TopicOptions, signal: AbortSignal): Promise<OpenedTopic> {
  const from = options.connection(sync.from.kind === 'connection' ? sync.from.connection : '');
  const to = options.connection(sync.to.connection);
  const opened = await options.open(sync, signal);
  const { source, target, checkpoints } = opened;
  const close = () => closeSync(opened);
  try {
    const { streamDataset, eventsOnly } = source;
    if (from.openStream === undefined || streamDataset === undefined || eventsOnly === undefined) {
      throw new RequestRefusedError(`${sync.name} cannot be followed: its connection tells no events`);
    }
    await target.prepare();
    const inTransactions = to.openStreamWriter !== undefined && target.checkpoints !== undefined;
    const { journalMs } = sync;
    const retention = new Map(journalMs === null ? [] : [[streamDataset, journalMs]]);
    const { clock, log } = options;
    const journal =
      journalMs === null
        ? undefined
        : new Journal({ store: opened.store.journal, stream: liveUnit(sync), retention, clock, log });
    return {
      journal,
      sync: new TopicSync(opened, options.gate(sync)),
      checkpoints,
      start: eventsOnly.start,
      inTransactions,
      openStream: (position, start) =>
        from.openStream!(
          { channel: sync.channel, datasets: [streamDataset], position, start, raw: journal !== undefined },
          signal,
        ),
      openWriter: async (epoch) => (inTransactions ? to.openStreamWriter!([target]) : new PlainWriter(checkpoints, epoch)),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
