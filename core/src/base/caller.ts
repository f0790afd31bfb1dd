import { AsyncLocalStorage } from 'node:async_hooks';

/** What has calls first when there are too few of them, from the first to the last (P8). */
export const priorities = ['live', 'delta', 'refresh', 'full'] as const;
export type Priority = (typeof priorities)[number];

/** For whom something is asked of a system. */
export interface Caller {
  readonly priority: Priority;
  /** The user has said which priority this sync has: no part of its work has another. */
  readonly fixed?: boolean;
  /** The user has said that this may cost what it costs. */
  readonly ignoresBudget?: boolean;
}

const callers = new AsyncLocalStorage<Caller>();
/** Whoever asks by hand waits in front of a terminal. */
const byHand: Caller = { priority: 'live' };

/** For whom the code that runs now does what it does. Known without being handed through every signature on the way to a request. */
export function currentCaller(): Caller {
  return callers.getStore() ?? byHand;
}

/** Every request that comes of this work is made for this caller. */
export function onBehalfOf<T>(caller: Caller, work: () => T): T {
  return callers.run(caller, work);
}

/** A part of a caller's work that is of another priority. */
export function withPriority<T>(priority: Priority, work: () => T): T {
  const caller = currentCaller();
  return caller.fixed === true ? work() : callers.run({ ...caller, priority }, work);
}
