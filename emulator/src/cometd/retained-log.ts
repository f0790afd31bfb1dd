import { createEventLog, type StoredEvent } from '../events/event-log.ts';
import { InvalidReplayIdError } from '../events/types.ts';
import type { OrgClock } from '../org/types.ts';

/** PushTopic and generic events stay for a day, by the org's clock (Streaming API guide, "Message Durability"). */
const retentionMs = 24 * 3_600_000;

/** What a channel of its own keeps of its events. Replay ids ascend, with gaps: nobody may count on more. */
export interface RetainedLog<Content> {
  append(content: Content): void;
  /** @throws {InvalidReplayIdError} it was never given out here, or is retained no longer. */
  resolve(replayId: number): number;
  read(after: number, max: number): { events: { replayId: number; createdDate: string; content: Content }[]; next: number };
}

export function createRetainedLog<Content>(clock: OrgClock): RetainedLog<Content> {
  const log = createEventLog<StoredEvent>();
  let last = 0;
  const trim = () => log.trim(clock.now() - retentionMs);
  return {
    append(content) {
      trim();
      last += last % 3 === 1 ? 2 : 1;
      // As text: small, and nobody can change it afterwards.
      log.append({ replayId: last, publishedAtMs: clock.now(), bytes: Buffer.from(JSON.stringify(content)) });
    },
    resolve(replayId) {
      trim();
      if (replayId === -1) return last;
      if (replayId === -2) return 0;
      if (!log.has(replayId)) throw new InvalidReplayIdError(`replay id ${replayId} is none of this channel`);
      return replayId;
    },
    read(after, max) {
      trim();
      const first = log.after(after);
      const events: ReturnType<RetainedLog<Content>['read']>['events'] = [];
      for (let index = first; index < log.length && events.length < max; index += 1) {
        const { replayId, publishedAtMs, bytes } = log.at(index)!;
        const content = JSON.parse(Buffer.from(bytes).toString()) as Content;
        events.push({ replayId, createdDate: new Date(publishedAtMs).toISOString(), content });
      }
      return { events, next: events.at(-1)?.replayId ?? after };
    },
  };
}
