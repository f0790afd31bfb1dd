/** An event as the bus keeps it: small, because an org may keep millions for three days. */
export interface StoredEvent {
  readonly replayId: number;
  readonly publishedAtMs: number;
  readonly bytes: Uint8Array;
}

/** The events of one kind, in order, for as long as they are retained. */
export interface EventLog<Event extends StoredEvent> {
  append(event: Event): void;
  /** Drops what was published before this instant. */
  trim(beforeMs: number): void;
  /** Index of the first event after this position. */
  after(replayId: number): number;
  at(index: number): Event | undefined;
  has(replayId: number): boolean;
  readonly length: number;
}

const compactAt = 4096;

export function createEventLog<Event extends StoredEvent>(): EventLog<Event> {
  let events: Event[] = [];
  /** Events before it are trimmed; the array is cut when they are many. */
  let head = 0;
  const after = (replayId: number) => {
    let [low, high] = [head, events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (events[middle]!.replayId > replayId) high = middle;
      else low = middle + 1;
    }
    return low - head;
  };
  return {
    append: (event) => events.push(event),
    trim(beforeMs) {
      while (head < events.length && events[head]!.publishedAtMs < beforeMs) head++;
      if (head > 0 && (head >= compactAt || head === events.length)) {
        events = events.slice(head);
        head = 0;
      }
    },
    after,
    at: (index) => events[head + index],
    has: (replayId) => events[head + after(replayId) - 1]?.replayId === replayId && after(replayId) > 0,
    get length() {
      return events.length - head;
    },
  };
}
