import type { EventLog, StoredEvent } from './event-log.ts';
import type { ChannelEvent } from './types.ts';

/** One kind of event as one user sees it in one channel. */
export interface Stream<Event extends StoredEvent> {
  readonly log: EventLog<Event>;
  readonly see: (event: Event) => ChannelEvent;
}

/**
 * Reads on in several logs at once, in the order of the bus.
 *
 * Events that were one before a channel took them apart share a replay id. When `max` ends within such a group, `next` is
 * a fraction below the id: where to read on in the group. It is never told on the wire, where the group is one position.
 * @param last  The newest position of the bus: where to read on when nothing is left.
 */
export function readStreams<Event extends StoredEvent>(
  streams: readonly Stream<Event>[],
  after: number,
  max: number,
  last: number,
): { events: ChannelEvent[]; next: number } {
  const cursors = streams.map(({ log }) => log.after(after));
  skipGroup(streams, cursors, after);
  const events: ChannelEvent[] = [];
  let latest: { stream: number; replayId: number } | undefined;
  while (events.length < max) {
    let first = -1;
    let firstId = Number.POSITIVE_INFINITY;
    for (let i = 0; i < streams.length; i++) {
      const replayId = streams[i]!.log.at(cursors[i]!)?.replayId;
      if (replayId !== undefined && replayId < firstId) {
        first = i;
        firstId = replayId;
      }
    }
    if (first < 0) return { events, next: Math.max(after, last) };
    const { log, see } = streams[first]!;
    events.push(see(log.at(cursors[first]!)!));
    cursors[first]!++;
    latest = { stream: first, replayId: firstId };
  }
  return { events, next: latest ? positionAfter(streams[latest.stream]!.log, cursors[latest.stream]!, latest.replayId) : after };
}

/** A fraction `id - 1 + k / n` says that k of the n events with this id were read. */
function skipGroup<Event extends StoredEvent>(streams: readonly Stream<Event>[], cursors: number[], after: number): void {
  if (Number.isInteger(after)) return;
  const replayId = Math.ceil(after);
  streams.forEach(({ log }, i) => {
    const cursor = cursors[i]!;
    const size = log.after(replayId) - cursor;
    if (log.at(cursor)?.replayId === replayId) cursors[i] = cursor + Math.round((after - (replayId - 1)) * size);
  });
}

function positionAfter<Event extends StoredEvent>(log: EventLog<Event>, cursor: number, replayId: number): number {
  if (log.at(cursor)?.replayId !== replayId) return replayId;
  const start = log.after(replayId - 1);
  return replayId - 1 + (cursor - start) / (log.after(replayId) - start);
}
