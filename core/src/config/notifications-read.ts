import { registerSecret } from '../base/secrets.ts';
import type { ReceiverConfig } from './notifications-config.ts';
import { receiverSchema } from './notifications-schema.ts';
import { checkName, guardSecrets, isBlock } from './read-connections.ts';
import type { Report } from './report.ts';

/** What stands behind the host of a webhook is often a password, and then it is long. */
const SECRET_PATH_LENGTH = 20;

/** Checks each receiver of `notifications`. Those that are wrong are left out, and in the report. */
export function readReceivers(block: unknown, report: Report, file: string): ReadonlyMap<string, ReceiverConfig> {
  const receivers = new Map<string, ReceiverConfig>();
  if (!isBlock(block)) return receivers;
  for (const [name, each] of Object.entries(block)) {
    const path = ['notifications', name];
    checkName(name, path, report);
    const receiver = report.parse(receiverSchema, each, path)?.data;
    guardSecrets(receiverSchema, each, path, report, file);
    if (receiver === undefined) continue;
    const { webhook, email, about, notes = null } = receiver;
    if (webhook !== undefined) {
      const { pathname, search } = new URL(webhook.url);
      if ((pathname + search).length >= SECRET_PATH_LENGTH) registerSecret(pathname + search);
      receivers.set(name, { name, about, notes, by: { kind: 'webhook', ...webhook, secret: webhook.secret ?? null } });
    } else if (email !== undefined) receivers.set(name, { name, about, notes, by: { kind: 'email', ...email } });
  }
  return receivers;
}
