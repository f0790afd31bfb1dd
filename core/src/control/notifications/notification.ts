import { createHash } from 'node:crypto';
import type { TroubleKind } from '../../config/notifications-config.ts';
import type { OpenTrouble } from '../../store/notification-store.ts';

/** Something that is wrong now, in words for whoever is told. */
export interface Trouble {
  readonly kind: TroubleKind;
  /** The sync, stream or connection that has it. */
  readonly subject: string;
  readonly title: string;
  readonly text: string;
  readonly hint?: string | undefined;
  /** Since when, epoch ms; null for now. */
  readonly sinceMs: number | null;
}

/** What a receiver is told. */
export interface Notification {
  /** The same whenever this is told again: after an answer that was lost, say. */
  readonly id: string;
  readonly event: 'trouble' | 'recovered' | 'test';
  readonly kind: TroubleKind | 'test';
  readonly subject: string;
  readonly title: string;
  readonly text: string;
  readonly hint?: string | undefined;
  /** Since when it was wrong. */
  readonly since: string;
  readonly at: string;
}

const recoveries: Readonly<Record<TroubleKind, string>> = {
  run_failed: 'runs succeed again',
  window_held: 'nothing holds the window open any more',
  stream_unhealthy: 'the stream is followed again',
  failures_open: 'no refused record is left',
  conflicts_open: 'no conflict is left open',
  budget_short: 'there are enough API calls again',
};

export function troubleNotification(trouble: Trouble, nowMs: number): Notification {
  const { kind, subject, title, text, hint } = trouble;
  const sinceMs = trouble.sinceMs ?? nowMs;
  return { ...identity('trouble', kind, subject, sinceMs), title, text, hint, at: iso(nowMs) };
}

export function recoveryNotification(
  kind: TroubleKind,
  { subject, sinceMs, clearSinceMs }: Omit<OpenTrouble, 'kind'>,
  nowMs: number,
): Notification {
  const text = `It was not so from ${iso(sinceMs)} to ${iso(clearSinceMs ?? nowMs)}.`;
  return { ...identity('recovered', kind, subject, sinceMs), title: `${subject}: ${recoveries[kind]}`, text, at: iso(nowMs) };
}

export function testNotification(receiver: string, nowMs: number): Notification {
  const text = 'Nothing is wrong: somebody wanted to see whether this arrives.';
  return { ...identity('test', 'test', receiver, nowMs), title: `${receiver} is told what is wrong`, text, at: iso(nowMs) };
}

/** By which a receiver knows a message that comes again. */
export function messageId(notifications: readonly Notification[]): string {
  return createHash('sha256')
    .update(JSON.stringify(notifications.map(({ id }) => id)))
    .digest('hex')
    .slice(0, 40);
}

/** One line that says it all, as chats and subjects of mails have it. */
export function subjectOf([first, ...more]: readonly Notification[]): string {
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return `${first!.title}${others}`;
}

export function textOf(notifications: readonly Notification[]): string {
  return notifications
    .map(({ title, text, hint, at }) => [title, text, ...(hint === undefined ? [] : [`What to do: ${hint}`]), at].join('\n'))
    .join('\n\n');
}

function identity(event: Notification['event'], kind: Notification['kind'], subject: string, sinceMs: number) {
  return { id: `${event}:${kind}:${subject}:${sinceMs}`, event, kind, subject, since: iso(sinceMs) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
