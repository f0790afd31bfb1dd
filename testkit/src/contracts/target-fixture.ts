import type { Change, DatasetSchema, DeleteRule, Row, Target, WriteResult } from '@tidemark/core';
import { contactSchema } from './rows.ts';

/** One fresh, empty dataset and the ways in which tests look at it from outside. */
export interface TargetFixture extends AsyncDisposable {
  /** Opens the dataset as a process of its own would, for the unit `contract`. The fixture closes it. */
  open(options: { schema: DatasetSchema; deletes: DeleteRule }): Promise<Target>;
  /** What a reader of the dataset sees now, by key: committed rows only, without those marked as deleted. */
  rows(schema: DatasetSchema): Promise<ReadonlyMap<string, Row>>;
  /** Adds a row as the user's own application would: no sync has written it. */
  insertForeign?(row: Row, schema: DatasetSchema): Promise<void>;
  /** Keys of the rows that are kept and marked as deleted. */
  marked?(): Promise<readonly string[]>;
  /** Row versions written to the dataset so far, deletes included. */
  writes?(): Promise<number>;
}

/** What a target claims to do. Tests for anything else are left out; the claims themselves are checked. */
export interface TargetTraits {
  readonly compares: boolean;
  readonly checkpoints: boolean;
  readonly loads: boolean;
  /** Fields have types, and a value of another type is refused. */
  readonly typed: boolean;
  /** Runs of each property. Few where a dataset is slow to make. */
  readonly runs?: number;
}

export type CreateTarget = () => Promise<TargetFixture>;

export const sqlTraits: TargetTraits = { compares: true, checkpoints: true, loads: true, typed: true };

export interface OpenTarget {
  readonly fixture: TargetFixture;
  readonly target: Target;
  readonly epoch: number;
  /** Writes without touching the checkpoint. */
  write(changes: readonly Change[]): Promise<readonly WriteResult[]>;
}

/** A prepared target with its unit taken over. */
export async function withTarget(
  create: CreateTarget,
  deletes: DeleteRule,
  body: (open: OpenTarget) => Promise<void>,
  schema: DatasetSchema = contactSchema,
): Promise<void> {
  await using fixture = await create();
  await body(await openTarget(fixture, deletes, schema));
}

export async function openTarget(
  fixture: TargetFixture,
  deletes: DeleteRule,
  schema: DatasetSchema = contactSchema,
): Promise<OpenTarget> {
  const target = await fixture.open({ schema, deletes });
  await target.prepare();
  const epoch = (await target.checkpoints?.acquire('contract'))?.epoch ?? 1;
  return {
    fixture,
    target,
    epoch,
    write: (changes) => target.write(changes, { epoch, settle: async () => null }, AbortSignal.timeout(60_000)),
  };
}

export const statuses = (results: readonly WriteResult[]) => results.map(({ status }) => status);
