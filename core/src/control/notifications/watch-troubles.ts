import type { Clock } from '../../base/clock.ts';
import { scrub } from '../../base/secrets.ts';
import type { ReceiverConfig, TroubleKind } from '../../config/notifications-config.ts';
import type { NewNotification, NotificationStore, OpenTrouble } from '../../store/notification-store.ts';
import type { Findings } from './find-troubles.ts';
import { type Notification, recoveryNotification, type Trouble, troubleNotification } from './notification.ts';

/** What comes and goes is one trouble: it is over when it was not seen for so long. */
const CLEAR_MS = 300_000;

export interface WatchParts {
  readonly store: NotificationStore;
  readonly clock: Clock;
  readonly receivers: ReadonlyMap<string, ReceiverConfig>;
}

/** Has everybody told what is wrong that was not, and what is over: each once, whoever looks. @returns whether anybody is to be told */
export async function settleTroubles({ troubles, lookedAt }: Findings, parts: WatchParts): Promise<boolean> {
  const { store, clock } = parts;
  const nowMs = clock.now();
  const open = new Map((await store.troubles()).map((trouble) => [nameOf(trouble), trouble]));
  let isNew = false;
  for (const trouble of troubles) {
    const known = open.get(nameOf(trouble));
    open.delete(nameOf(trouble));
    if (known === undefined) isNew = (await openTrouble(trouble, nowMs, parts)) || isNew;
    else if (known.clearSinceMs !== null) await store.setClear(trouble, null);
  }
  for (const gone of open.values()) {
    if (!lookedAt(gone.kind as TroubleKind, gone.subject)) continue;
    if (gone.clearSinceMs === null) await store.setClear(gone, nowMs);
    else if (nowMs - gone.clearSinceMs >= CLEAR_MS) isNew = (await closeTrouble(gone, nowMs, parts)) || isNew;
  }
  return isNew;
}

async function openTrouble(trouble: Trouble, nowMs: number, { store, receivers }: WatchParts): Promise<boolean> {
  const { kind, subject } = trouble;
  const told = toBeTold(troubleNotification(trouble, nowMs), kind, nowMs, receivers);
  return store.open({ kind, subject, sinceMs: trouble.sinceMs ?? nowMs }, told);
}

async function closeTrouble(gone: OpenTrouble, nowMs: number, { store, receivers }: WatchParts): Promise<boolean> {
  const kind = gone.kind as TroubleKind;
  const notification = recoveryNotification(kind, gone, nowMs);
  return store.close(gone, toBeTold(notification, kind, nowMs, receivers));
}

function toBeTold(
  notification: Notification,
  kind: TroubleKind,
  nowMs: number,
  receivers: WatchParts['receivers'],
): NewNotification {
  const interested = [...receivers.values()].filter(({ about }) => about.includes(kind)).map(({ name }) => name);
  // Reasons are others' words: whatever they hold, no secret of ours leaves with them.
  return { receivers: interested, body: scrub(JSON.stringify(notification)), atMs: nowMs };
}

function nameOf({ kind, subject }: { readonly kind: string; readonly subject: string }): string {
  return `${kind} ${subject}`;
}
