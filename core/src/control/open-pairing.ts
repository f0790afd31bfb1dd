import type { Clock } from '../base/clock.ts';
import { ConfigError, InvariantError, type Problem, RequestRefusedError } from '../base/errors.ts';
import type { PairingConfig, PolicyConfig } from '../config/pairing.ts';
import type { Connection } from '../model/connector.ts';
import type { Log } from '../model/log.ts';
import type { FieldSchema } from '../model/schema.ts';
import type { Side } from '../model/side.ts';
import type { PolicyModule } from '../model/user-modules.ts';
import type { Policy, SideName } from '../pipeline/two-way/merge-record.ts';
import type { OpenedPairing, Ownership, PairField } from '../pipeline/two-way/opened-pairing.ts';
import { importUserModule } from '../pipeline/user-module.ts';
import type { Store } from '../store/store.ts';

export interface PairingContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  connection(name: string): Connection<unknown, unknown>;
}

const sides = ['left', 'right'] as const;

/**
 * Opens both sides of a two-way sync.
 * @throws {ConfigError} a field that a side does not have.
 */
export async function openPairing(
  config: PairingConfig,
  context: PairingContext,
  signal: AbortSignal,
  ownership: Ownership = { epoch: null },
): Promise<OpenedPairing> {
  const { store, clock, log } = context;
  const opened: Partial<Record<SideName, Side>> = {};
  try {
    for (const side of sides) opened[side] = await openSide(config, side, context, signal);
    const { left, right } = opened as Record<SideName, Side>;
    return {
      name: config.name,
      names: { left: config.left.connection, right: config.right.connection },
      left,
      right,
      fields: await fieldsOf(config, { left, right }),
      match: config.match,
      deletes: config.deletes,
      rightAheadMs: await aheadMs(left, right, signal),
      store,
      ownership,
      clock,
      log,
    };
  } catch (error) {
    await closeSides(opened);
    throw error;
  }
}

export async function closePairing(pairing: OpenedPairing): Promise<void> {
  await closeSides(pairing);
}

async function closeSides(opened: Partial<Record<SideName, Side>>): Promise<void> {
  for (const side of sides) await opened[side]?.[Symbol.asyncDispose]();
}

function openSide(config: PairingConfig, side: SideName, context: PairingContext, signal: AbortSignal): Promise<Side> {
  const { connection, spec, link } = config[side];
  const opened = context.connection(connection);
  if (opened.openSide === undefined) throw new InvariantError(`${connection} cannot be a side`);
  const fields = config.fields.map((field) => field[side]);
  const writes = config.fields.filter(({ flows }) => flows === 'both' || flows === `to-${side}`).map((field) => field[side]);
  const deletes = config.deletes === 'propagate';
  return opened.openSide({ side: spec, link, fields, writes, deletes, unit: config.name }, signal);
}

async function fieldsOf(config: PairingConfig, opened: Readonly<Record<SideName, Side>>): Promise<PairField[]> {
  const problems: Problem[] = [];
  const schemaOf = (side: SideName, name: string): FieldSchema | undefined => {
    const { schema } = opened[side].source;
    const found = schema.fields.find((field) => field.name.toLowerCase() === name.toLowerCase());
    if (found === undefined) {
      const known = schema.fields.map((field) => field.name).join(', ');
      const message = `${config[side].connection} has no field ${name} in ${schema.name}`;
      problems.push({ place: `syncs.${config.name}.fields`, severity: 'error', message, hint: `it has: ${known}` });
    }
    return found;
  };
  const fields: PairField[] = [];
  for (const { left, right, flows, policy } of config.fields) {
    const there = { left: schemaOf('left', left), right: schemaOf('right', right) };
    if (there.left === undefined || there.right === undefined) continue;
    // Values are compared by what they mean, which the side with the richer type knows; a text column tells nothing.
    const { type } = there.left.type === 'text' ? there.right : there.left;
    const field = { name: there.right.name, type, nullable: there.right.nullable };
    const masked = sides.filter((side) => there[side]!.masked);
    problems.push(...masked.flatMap((side) => maskProblems(config, { left, right, flows }, side)));
    const rule = { field, left: there.left.name, right: there.right.name, flows, policy: await policyOf(policy) };
    fields.push(masked.length === 0 ? rule : { ...rule, masked: true });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return fields;
}

/** A mask that is taken for a value, and written back, is the value from then on: nothing may come of what is read there. */
function maskProblems(
  config: PairingConfig,
  { left, right, flows }: Pick<PairField, 'left' | 'right' | 'flows'>,
  side: SideName,
): Problem[] {
  const { connection } = config[side];
  const what = `${connection} shows ${side === 'left' ? left : right} as a mask to users without the right to see it`;
  const hint = `let it flow to ${connection} only: ${right}: { field: ${left}, to: ${connection} }`;
  const problem = (at: string, message: string, hint: string): Problem => {
    return { place: `syncs.${config.name}.${at}`, severity: 'error', message, hint };
  };
  return [
    ...(flows === `to-${side}` ? [] : [problem(`fields.${right}`, `${what}: the mask would be taken for its value`, hint)]),
    ...(config.match.includes(right) ? [problem('match', `${what}: nothing is found by it`, 'match by other fields')] : []),
  ];
}

async function policyOf(policy: PolicyConfig): Promise<Policy> {
  if (policy.kind !== 'module') return policy;
  const { default: decide } = await importUserModule<PolicyModule>(policy.file);
  if (typeof decide === 'function') return { kind: 'decide', decide };
  throw new RequestRefusedError(`${policy.file} has no default export that is a function`, {
    hint: 'export default ({ base, left, right }) => the value that both sides get',
  });
}

/** How far the right side's clock is ahead, as far as both tell. */
async function aheadMs(left: Side, right: Side, signal: AbortSignal): Promise<number> {
  if (left.now === undefined || right.now === undefined) return 0;
  const [leftMs, rightMs] = await Promise.all([left.now(signal), right.now(signal)]);
  return rightMs - leftMs;
}
