import { createHash } from 'node:crypto';

/**
 * The same for the same version of the same record of the same sync, so that a receiver knows a request that comes again for what it
 * is: after a lost answer, after a crash. The stamp belongs to it, because a record that goes back to a former value has changed.
 */
export function idempotencyKey(
  unit: string,
  parts: readonly { key: string; op: string; stampMs: number; content: string }[],
): string {
  const hash = createHash('sha256').update(JSON.stringify([unit]));
  for (const { key, op, stampMs, content } of parts) hash.update(JSON.stringify([key, op, stampMs, content]));
  return hash.digest('hex').slice(0, 40);
}
