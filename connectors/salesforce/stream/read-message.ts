import type { Delivery, StreamEvent } from '@tidemark/core';
import type { EventDecoder } from './decode-event.ts';
import { positionText, unheardPosition } from './position.ts';
import { toKeep } from './raw-event.ts';
import { RecentEvents } from './recent-events.ts';
import type { StreamMessage, TransportName } from './transport.ts';

/** Reads messages one after another, and knows from where a new connection would have to go on. */
export interface MessageReader {
  /** Replay id strictly after which everything is that was not delivered; null while that is only what is newest. */
  readonly after: string | null;
  /** The delivery for a message, and how many of its events nobody gets. Null when there is nothing to say yet. */
  read(message: StreamMessage, signal: AbortSignal): Promise<{ delivery: Omit<Delivery, 'reset'> | null; unused: number }>;
  /** Whether what is being read has to be asked for first: what the fields of its events are. */
  readonly isAsking: boolean;
  /** Nothing has come for so long that nothing more is there. */
  lull(): Omit<Delivery, 'reset'>;
}

/** @param keepsRaw  events carry what they were made of */
export function createMessageReader(
  transport: TransportName,
  decoder: EventDecoder,
  start: string | null,
  keepsRaw = false,
): MessageReader {
  let recent = new RecentEvents();
  let after = start;
  let isAsking = false;
  /** The last replay id that came: others of the same id may follow as long as this one's position is held back. */
  let last = start;

  return {
    get after() {
      return after;
    },
    get isAsking() {
      return isAsking;
    },
    lull() {
      after = last;
      const nothing = { events: [], caughtUp: true };
      // A proxy, or a server that is busy, may hold a subscription back for longer than anybody waits for a word of it.
      if (last === null) return { ...nothing, position: unheardPosition(transport), assumed: true };
      return { ...nothing, position: positionText({ transport, replayId: last }) };
    },
    async read(message, signal) {
      const reached = { after, last };
      try {
        return await read(message, signal);
      } catch (error) {
        // Nobody gets what was read of it: a new connection has to bring all of it again.
        ({ after, last } = reached);
        recent = new RecentEvents();
        throw error;
      }
    },
  };

  async function read({ events: raws, latest, pending }: StreamMessage, signal: AbortSignal) {
    const events: StreamEvent[] = [];
    let unused = 0;
    isAsking = false;
    for (let index = 0; index < raws.length; index++) {
      const raw = raws[index]!;
      const next = raws[index + 1];
      // Enriched events may share one replay id, and a position means strictly after: it is that of the last of them only, and
      // where a message ends for want of credit, nobody knows yet whether it was the last.
      const isLastOfItsId = next === undefined ? pending > 0 : next.replayId !== raw.replayId;
      const before = raw.replayId !== last && last !== null ? last : after;
      const safe = isLastOfItsId ? raw.replayId : before;
      const decoded = decoder.decode(raw, positionText({ transport, replayId: safe ?? raw.replayId }), signal);
      if (decoded instanceof Promise) isAsking = true;
      const event = decoded instanceof Promise ? await decoded : decoded;
      if (event === null) unused++;
      else if (recent.add(raw.replayId, raw.id, event.keys[0]))
        events.push(keepsRaw ? { ...event, raw: toKeep(raw, event) } : event);
      else {
        unused++;
        continue;
      }
      after = safe;
      last = raw.replayId;
    }
    if (raws.length === 0) {
      if (latest === null) return { delivery: null, unused };
      after = latest;
      last = latest;
    }
    const replayId = after ?? last;
    const delivery =
      replayId === null ? null : { events, position: positionText({ transport, replayId }), caughtUp: pending > 0 };
    return { delivery, unused };
  }
}
