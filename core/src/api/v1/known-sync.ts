import type { Engine } from '../../control/engine.ts';
import { NotFoundError } from './refuse.ts';

/** @throws {NotFoundError} the configuration has no sync of that name */
export function knownSync({ config }: Engine, name: string): string {
  if (config.syncs.has(name) || config.pairings.has(name)) return name;
  throw new NotFoundError(`there is no sync ${name}`, { hint: 'GET /api/v1/syncs lists them' });
}
