import type { KeptStatus } from '@tidemark/core';
import { formatTime, roughly } from './table.ts';

/** How a stream stands, for people: what matters first, and nothing that is as it should be. */
export function renderStream(stream: KeptStatus, nowMs: number): string[] {
  const { transport, syncs, events, transactions, reconnects, splits, positionMs } = stream;
  const lines = [
    `stream ${stream.stream.replace(/^live:/, '')}${transport === null ? '' : ` by ${transport}`}, for ${syncs.join(', ')}`,
  ];
  const add = (line: string | null) => {
    if (line !== null) lines.push(`  ${line}`);
  };
  add(stateLine(stream, nowMs));
  if (stream.reason !== null) add(`why: ${stream.reason}`);
  for (const [sync, why] of Object.entries(stream.aside)) add(`${sync} stands aside: ${why}`);
  if (stream.rereads.length > 0) add(`read again: ${stream.rereads.join(', ')}`);
  for (const { fromMs, toMs } of stream.holes) add(`events are gone for good: ${formatTime(fromMs)} to ${formatTime(toMs)}`);
  const again = reconnects === 0 ? '' : `, ${plural(reconnects, 'reconnect')}`;
  const apart = splits === 0 ? '' : `, ${splits} not at once`;
  const kept = positionMs === null ? '' : `; position kept ${ago(positionMs, nowMs)}`;
  add(`${plural(events, 'event')} in ${plural(transactions, 'transaction')}${apart}${again}${kept}`);
  add(healedLine(stream));
  return lines;
}

function stateLine(stream: KeptStatus, nowMs: number): string {
  const { state, sinceMs, lagMs, waiting, lastEventMs, nextTryMs } = stream;
  const since = roughly(nowMs - sinceMs);
  const again = nextTryMs === null ? 'being tried now' : `tried again in ${roughly(nextTryMs - nowMs)}`;
  const behind = lagMs === null ? '' : `, ${roughly(lagMs)} behind`;
  const last = lastEventMs === null ? 'no event so far' : `last event ${ago(lastEventMs, nowMs)}`;
  switch (state) {
    case 'live':
      return `live for ${since}, ${last}`;
    case 'catching up':
      return `catching up${behind}, ${plural(waiting, 'event')} to write, ${last}`;
    case 'waiting':
      return `not connected for ${since}${behind}; ${again}`;
    case 'polling':
      return `polling every minute, not connected for ${since}; ${again}`;
    case 'connecting':
      return `connecting for ${since}`;
    case 'paused':
      return `paused, ${last}`;
    case 'stopped':
      return `stopped ${ago(sinceMs, nowMs)}${behind}`;
  }
}

function healedLine({ healed: { lost, gap, overflow } }: KeptStatus): string | null {
  const kinds = [
    ...(lost === 0 ? [] : [plural(lost, 'lost position')]),
    ...(gap === 0 ? [] : [plural(gap, 'gap')]),
    ...(overflow === 0 ? [] : [plural(overflow, 'overflow')]),
  ];
  return kinds.length === 0 ? null : `healed: ${kinds.join(', ')}`;
}

const ago = (ms: number, nowMs: number) => `${roughly(nowMs - ms)} ago`;

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
