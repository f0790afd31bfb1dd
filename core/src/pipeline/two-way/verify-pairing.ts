import type { Difference, Verdict } from '../verify.ts';
import type { PairingPlan, PlannedPairWrite } from './run-pairing.ts';

const EXAMPLES = 20;

/** What of a two-way sync can be looked at, as often as needed. */
export interface Looks {
  /** What a run over everything would write. Writes nothing. */
  plan(onWrite: (write: PlannedPairWrite) => void): Promise<PairingPlan>;
  /** Brings together what has changed since the last run, or everything. */
  run(full: boolean): Promise<void>;
  failing(): Promise<number>;
  openConflicts(): Promise<number>;
}

/**
 * Proves that both sides hold the same, or names the records of which they do not: those that a run over everything would still
 * write, though what had merely not come yet has been brought. Two sides that cannot hold the same value, which is on record, agree.
 */
export async function verifyPairing(looks: Looks, { repair }: { readonly repair: boolean }): Promise<Verdict> {
  const first = await look(looks);
  let second = first;
  if (first.found.size > 0) {
    await looks.run(false);
    second = await look(looks);
    for (const name of second.found.keys()) if (!first.found.has(name)) second.found.delete(name);
  }
  let repaired = 0;
  if (repair && second.found.size > 0) {
    await looks.run(true);
    const third = await look(looks);
    repaired = [...second.found.keys()].filter((name) => !third.found.has(name)).length;
  }
  return {
    verified: second.read,
    differences: second.found.size,
    examples: [...second.found.values()].slice(0, EXAMPLES),
    failing: await looks.failing(),
    conflicts: await looks.openConflicts(),
    repaired,
  };
}

async function look({ plan }: Looks): Promise<{ readonly read: number; readonly found: Map<string, Difference> }> {
  const found = new Map<string, Difference>();
  const { read } = await plan((write) => {
    const kind = kinds[write.effect as keyof typeof kinds];
    // What would be refused has an open failure, or will have one.
    if (kind === undefined) return;
    // A record that is not there yet is told by what it would hold.
    const name = kind === 'missing' ? JSON.stringify(write.fields) : write.key;
    const key = `${write.side} ${kind === 'missing' ? '(none)' : write.key}`;
    const fields = kind === 'different' ? write.fields.map(({ field }) => field) : [];
    found.set(`${write.side} ${name}`, { key, kind, fields });
  });
  return { read, found };
}

const kinds = { create: 'missing', update: 'different', delete: 'extra' } as const;
