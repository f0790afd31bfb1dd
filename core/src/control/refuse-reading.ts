import { RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';

/** Nothing can be read of a sync that only gets what somebody publishes: 004-8. @throws {RequestRefusedError} it is such a sync */
export function refuseReading({ name, channel }: Pick<SyncConfig, 'name' | 'channel'>, asked: string): void {
  if (channel === null) return;
  throw new RequestRefusedError(`${name} only takes what is published on ${channel}: there is nothing to ${asked}`, {
    hint: 'tidemark start brings events as they come, and status tells how far; tidemark failures retry tries refused ones again',
  });
}
