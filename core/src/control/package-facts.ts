import { type Problem, SyncError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { DescribedObject } from '../model/object-definition.ts';
import type { DatasetSchema } from '../model/schema.ts';
import type { EngineParts } from './engine-options.ts';
import { arrivingSchema } from './open-sync.ts';

/** What a configuration leaves open about an org's side. */
export interface PackageQuestions {
  readonly connection: string;
  readonly objects: readonly string[];
  /** Syncs of which it is not told what they write. */
  readonly syncs: readonly SyncConfig[];
}

export interface PackageFacts {
  /** As the org has them; without those that it has not. */
  readonly objects: ReadonlyMap<string, DescribedObject>;
  /** What comes to the target of a sync, by the sync's name. */
  readonly arriving: ReadonlyMap<string, DatasetSchema>;
  /** Who could not be asked, and why. */
  readonly unanswered: readonly Problem[];
}

/** Asks the org and the sources; whoever does not answer leaves its questions open. Writes nothing. */
export async function packageFacts(
  { connection, objects, syncs }: PackageQuestions,
  parts: EngineParts,
  signal: AbortSignal,
): Promise<PackageFacts> {
  const unanswered: Problem[] = [];
  const asking = async <T>(place: string, ask: () => Promise<T>): Promise<T | null> => {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      unanswered.push({ place, message: error.message, hint: error.hint, severity: 'warning' });
      return null;
    }
  };
  const described = new Map<string, DescribedObject>();
  await asking(`connections.${connection}`, async () => {
    const org = parts.connection(connection);
    for (const name of objects) {
      const object = await org.describeObject?.(name, signal);
      if (object != null) described.set(name, object);
    }
  });
  const arriving = new Map<string, DatasetSchema>();
  for (const sync of syncs) {
    const schema = await asking(`syncs.${sync.name}`, () => arrivingSchema(sync, parts, signal));
    if (schema !== null) arriving.set(sync.name, schema);
  }
  return { objects: described, arriving, unanswered };
}
