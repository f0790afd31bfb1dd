import type {
  Change,
  DatasetSchema,
  DeleteRule,
  FieldValue,
  Row,
  StreamChange,
  StreamWriteResult,
  StreamWriter,
  Target,
  TargetScope,
  WriteResult,
} from '@tidemark/core';
import { contactSchema } from './rows.ts';

/** One fresh, empty dataset and the ways in which tests look at it from outside. */
export interface TargetFixture extends AsyncDisposable {
  /**
   * Opens the dataset as a process of its own would, for the unit `contract`. The fixture closes it. A stream wants a second
   * dataset beside it, `other`, with a unit of that name. With a scope it is shared, and the unit is `contract@<value>`.
   */
  open(options: {
    schema: DatasetSchema;
    deletes: DeleteRule;
    dataset?: 'contacts' | 'other';
    scope?: TargetScope;
  }): Promise<Target>;
  /** What a reader of the dataset sees now, by key: committed rows only, without those marked as deleted. */
  rows(schema: DatasetSchema, dataset?: 'contacts' | 'other'): Promise<ReadonlyMap<string, Row>>;
  /** Writes targets that `open` has opened in one transaction. */
  openStreamWriter?(targets: readonly Target[]): Promise<StreamWriter>;
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
  /** Takes the changes of a stream, several datasets in one transaction. */
  readonly streams?: boolean;
  /** Several can share a dataset, each with the rows of its own scope. */
  readonly shares?: boolean;
  /** Fields have types, and a value of another type is refused. */
  readonly typed: boolean;
  /** Absent: whatever a target is of that compares. `false`: the system has no place for our stamps, so order is the engine's alone. */
  readonly stamps?: false;
  /** `false`: the system has no place for a mark of ours, and the rule is refused. */
  readonly marks?: false;
  /** `false`: the dataset is the user's own, and takes no other shape than the one it has. */
  readonly shapes?: false;
  /** What the system itself makes of a row that it stores, where that is not the row as it was written. */
  readonly stored?: (row: Row) => Row;
  /** In place of the contract's own, where the system cannot hold them: values by field, and keys. */
  readonly values?: { readonly [field: string]: readonly FieldValue[] };
  readonly keys?: readonly string[];
  /** Whether the system can have a field of this name, where it cannot have any. */
  readonly mayBeNamed?: (field: string) => boolean;
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

/** Two prepared datasets of one connection, and what writes them in one transaction for the unit `live`. */
export interface OpenStream {
  readonly fixture: TargetFixture;
  readonly target: Target;
  readonly other: Target;
  readonly writer: StreamWriter;
  /** Of the stream's unit. */
  readonly epoch: number;
  /** Of the unit of `target` itself. */
  readonly ownEpoch: number;
  /** Applies changes to `target` in a transaction of their own; answers what became of each. */
  commit(changes: readonly StreamChange[], checkpoint?: string): Promise<readonly string[]>;
}

export async function withStream(
  create: CreateTarget,
  deletes: DeleteRule,
  body: (open: OpenStream) => Promise<void>,
): Promise<void> {
  await using fixture = await create();
  await body(await openStream(fixture, deletes));
}

export async function openStream(fixture: TargetFixture, deletes: DeleteRule): Promise<OpenStream> {
  const { target, epoch: ownEpoch } = await openTarget(fixture, deletes);
  const other = await fixture.open({ schema: contactSchema, deletes, dataset: 'other' });
  await other.prepare();
  const writer = await fixture.openStreamWriter!([target, other]);
  const { epoch } = await target.checkpoints!.acquire('live');
  return {
    fixture,
    target,
    other,
    writer,
    epoch,
    ownEpoch,
    async commit(changes, checkpoint = 'on') {
      const transaction = await writer.begin(AbortSignal.timeout(60_000));
      const results = await transaction.apply(target, changes);
      await transaction.commit('live', epoch, checkpoint);
      return statuses(results);
    },
  };
}

export const statuses = (results: readonly (WriteResult | StreamWriteResult)[]) => results.map(({ status }) => status);
