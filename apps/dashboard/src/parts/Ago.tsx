import { useSyncExternalStore } from 'react';
import { durationText, instantText } from './texts.ts';

const EVERY_MS = 5_000;
const watchers = new Set<() => void>();
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all of a page: a thousand lines need not have a timer each. */
function watch(changed: () => void): () => void {
  watchers.add(changed);
  if (timer === undefined) {
    nowMs = Date.now();
    timer = setInterval(() => {
      nowMs = Date.now();
      for (const each of watchers) each();
    }, EVERY_MS);
  }
  return () => {
    watchers.delete(changed);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** How long ago, or how soon; the instant itself on a closer look. */
export function Ago({ ms }: { ms: number }) {
  const away = ms - useSyncExternalStore(watch, () => nowMs);
  const words = Math.abs(away) < EVERY_MS ? 'just now' : away > 0 ? `in ${durationText(away)}` : `${durationText(-away)} ago`;
  return (
    <time dateTime={new Date(ms).toISOString()} title={instantText(ms)}>
      {words}
    </time>
  );
}
