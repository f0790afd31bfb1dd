import {
  type Change,
  type Commit,
  type DatasetSchema,
  NO_STAMP,
  RequestRefusedError,
  type Row,
  type Side,
  type SidePreview,
  type SideResult,
  type SideRow,
  type SideSpec,
  type SideWrite,
  type Source,
  textOf,
  type WriteResult,
} from '@tidemark/core';
import { type SideSettings, from as sourceSettings, to as targetSettings } from '../config.ts';
import { counting } from '../counted-client.ts';
import type { Describe, DescribeField } from '../describe.ts';
import { fieldGrant } from '../grants.ts';
import type { OrgTime } from '../org-clock.ts';
import { openSource, type SourceParts } from '../source.ts';
import { findRecords, foldKey } from '../write/find-records.ts';
import { openTarget, type SalesforceTarget } from '../write/target.ts';
import { deleteById } from './delete-by-id.ts';
import { previewSide } from './preview-side.ts';

export type SideParts = SourceParts & { readonly time: OrgTime };

/**
 * One object as a side of a two-way sync. The org has no locks to hold: between the reading and the write somebody may change a
 * record, so only fields that differ are sent, and what was changed meanwhile is told by the next delta or event.
 */
export async function openSide(org: SideParts, spec: SideSpec<SideSettings>, signal: AbortSignal): Promise<Side> {
  const { object } = spec.side;
  const counted = counting(org.client);
  const parts = { ...org, client: counted.client };
  const describe = await parts.describes.get(object, signal);
  const link = spec.link === null ? null : linkField(describe, spec.link);
  const fields = [...new Set([...spec.fields, ...(link === null ? [] : [link.name])])];
  const read = { where: undefined, fields, exclude: [], startAtMs: null };
  const source = await openSource(parts, { from: sourceSettings.parse({ object }), ...read }, signal);
  if (source.readKeys === undefined) throw new RequestRefusedError(`${object} cannot be read by Id`);
  const schemaOf = (key: string): DatasetSchema => {
    const written = [...new Set([...spec.writes, ...(link === null ? [] : [link.name])])].filter((name) => name !== key);
    const known = new Map(source.schema.fields.map((field) => [field.name.toLowerCase(), field]));
    const typed = written.map((name) => known.get(name.toLowerCase()) ?? { name, type: 'text' as const, nullable: true });
    return { name: object, key: [key], fields: [{ name: key, type: 'text', nullable: false }, ...typed] };
  };
  const target = (key: string, operation: 'update' | 'upsert') => {
    const to = targetSettings.parse({ ...spec.side, key, operation });
    return openTarget({ ...org, momentary: true }, { to, unit: spec.unit, schema: schemaOf(key), deletes: 'ignore' }, signal);
  };
  return new SalesforceSide({
    ...{ parts, spec, describe, link, calls: counted.calls },
    source: source as Source & Required<Pick<Source, 'readKeys'>>,
    updates: await target('Id', 'update'),
    creates: link === null ? null : await target(link.name, 'upsert'),
  });
}

function linkField({ name, fields }: Describe, wanted: string): DescribeField {
  const field = fields.find((each) => each.name.toLowerCase() === wanted.toLowerCase());
  if (field === undefined) {
    throw new RequestRefusedError(`${name} has no field ${wanted}, which link: names`, {
      hint: `Make a text field that is a unique external id, and let the user edit it: ${fieldGrant(name, [wanted], 'editable')}`,
    });
  }
  if (!field.externalId || !field.unique) {
    throw new RequestRefusedError(`${name}.${field.name} is no unique external id, so that a record could be made twice`, {
      hint: 'Mark the field as External ID and Unique in Setup',
    });
  }
  return field;
}

interface Opened {
  readonly parts: SideParts;
  readonly spec: SideSpec<SideSettings>;
  readonly describe: Describe;
  readonly link: DescribeField | null;
  readonly source: Source & Required<Pick<Source, 'readKeys'>>;
  readonly updates: SalesforceTarget;
  /** Null without a link: nothing would find a record again whose reply was lost. */
  readonly creates: SalesforceTarget | null;
  /** Made so far to read. */
  readonly calls: () => number;
}

class SalesforceSide implements Side {
  readonly source: Source;
  readonly link: string | null;
  readonly creates: Side['creates'];
  readonly caseless: ReadonlySet<string>;
  readonly #opened: Opened;
  /** Links that were looked for and found since the last merge, as the org spells them. */
  readonly #spelled = new Map<string, string>();

  constructor(opened: Opened) {
    this.#opened = opened;
    this.source = opened.source;
    this.link = opened.link?.name ?? null;
    const told = new Set(opened.describe.fields.flatMap(({ name, caseSensitive }) => (caseSensitive ? [name] : [])));
    const texts = opened.source.schema.fields.filter(({ type, reference }) => type === 'text' && reference !== true);
    this.caseless = new Set(texts.flatMap(({ name }) => (name === 'Id' || told.has(name) ? [] : [name])));
    this.creates =
      opened.creates !== null
        ? { ok: true }
        : {
            ok: false,
            message: `no records are made in ${opened.describe.name}: a create whose reply is lost would be made twice`,
            hint: "Name a unique external id as link: of this side; it keeps the other side's key",
          };
  }

  async now(): Promise<number> {
    return this.#opened.parts.time.now();
  }

  async merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
    signal: AbortSignal,
  ): Promise<readonly SideResult[]> {
    try {
      const rows = await this.#rows(keys, signal);
      const writes = await decide(new Map(rows.map((row) => [row.key, row])));
      const results = new Map<SideWrite, SideResult>();
      await this.#delete(of(writes, 'delete'), results, signal);
      await this.#update(of(writes, 'update'), results, signal);
      await this.#create(of(writes, 'create'), results, signal);
      return writes.map((write) => results.get(write)!);
    } finally {
      this.#spelled.clear();
    }
  }

  async find(wanted: readonly Row[], signal: AbortSignal): Promise<readonly SideRow[]> {
    const ids = new Set<string>();
    const { describe, parts, link } = this.#opened;
    for (const each of Map.groupBy(wanted, (row) => Object.keys(row)[0] ?? '')) {
      const [name, rows] = each;
      const field = describe.fields.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
      if (field === undefined) continue;
      const values = rows.map((row) => textOf(row[name]) ?? '');
      const found = await findRecords({ client: parts.client, object: describe.name, key: field, fields: [], signal }, values);
      for (const record of [...found.values()].flat()) ids.add(String(record.Id));
      if (field === link) for (const [key, [record]] of found) this.#spelled.set(key, String(record![link.name]));
    }
    // Whoever asked compares the other fields: they are read as any record is.
    return this.#rows([...ids], signal);
  }

  openPreview(): SidePreview {
    const { updates, creates, link, calls, spec } = this.#opened;
    return previewSide({ updates, creates, link: link?.name ?? null, recordsPerCall: spec.side.recordsPerCall, calls });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { source, updates, creates } = this.#opened;
    await source[Symbol.asyncDispose]();
    await updates[Symbol.asyncDispose]();
    await creates?.[Symbol.asyncDispose]();
  }

  async #rows(keys: readonly string[], signal: AbortSignal): Promise<SideRow[]> {
    if (keys.length === 0) return [];
    const changes = await this.#opened.source.readKeys(keys, signal);
    return changes.flatMap(({ op, key, row, stampMs }) =>
      op === 'delete' ? [] : [{ key, row: row!, atMs: stampMs === NO_STAMP ? null : stampMs }],
    );
  }

  async #update(writes: readonly Extract<SideWrite, { op: 'update' }>[], results: Results, signal: AbortSignal): Promise<void> {
    if (writes.length === 0) return;
    const changes = writes.map(({ key, row }): Change => ({ op: 'upsert', key, row, stampMs: NO_STAMP }));
    const answers = await this.#opened.updates.write(changes, nothingKept, signal);
    // By the same codes the org refuses a lookup to a record that is gone: only a look tells which of the two it is.
    const doubtful = writes.filter((_, i) => tellsOfGone(answers[i]!));
    const there = new Set(
      (
        await this.#rows(
          doubtful.map(({ key }) => key),
          signal,
        )
      ).map(({ key }) => key),
    );
    for (const [i, write] of writes.entries()) {
      const isGone = doubtful.includes(write) && !there.has(write.key);
      results.set(write, isGone ? { status: 'gone' } : resultOf(answers[i]!, write.key));
    }
  }

  async #create(writes: readonly Extract<SideWrite, { op: 'create' }>[], results: Results, signal: AbortSignal): Promise<void> {
    if (writes.length === 0) return;
    const { creates, link, parts, describe } = this.#opened;
    if (creates === null || link === null) {
      const message = this.creates.ok ? '' : this.creates.message;
      for (const write of writes) results.set(write, { status: 'rejected', reason: { code: 'cannot_create', message } });
      return;
    }
    const keyed = writes
      .map((write) => ({ write, key: textOf(write.row[link.name])! }))
      .filter(({ write, key }) => {
        const taken = this.#takenSpelling(key, link);
        // To make it would be to overwrite that record.
        const message = `${link.name} does not tell ${key} from ${taken}, which another record has`;
        if (taken !== null) results.set(write, { status: 'rejected', reason: { code: 'DUPLICATE_VALUE', message } });
        return taken === null;
      });
    if (keyed.length === 0) return;
    const changes = keyed.map(({ write, key }): Change => ({ op: 'upsert', key, row: write.row, stampMs: NO_STAMP }));
    const answers = await creates.write(changes, nothingKept, signal);
    const made = keyed.filter((_, i) => answers[i]!.status !== 'rejected').map(({ key }) => key);
    // The replies of upserts by external id do not tell the Ids of records on every path.
    const found = await findRecords({ client: parts.client, object: describe.name, key: link, fields: [], signal }, made);
    for (const [i, { write, key }] of keyed.entries()) {
      const id = found.get(foldKey(key, link))?.[0]?.Id;
      results.set(write, id === undefined ? resultOf(answers[i]!, null) : resultOf(answers[i]!, String(id)));
    }
  }

  /** How a record spells this link, if the org takes another one for it. */
  #takenSpelling(key: string, link: DescribeField): string | null {
    const known = this.#spelled.get(foldKey(key, link));
    const exactly = (text: string) => foldKey(text, { ...link, caseSensitive: true });
    return link.type !== 'string' || known === undefined || exactly(known) === exactly(key) ? null : known;
  }

  async #delete(writes: readonly Extract<SideWrite, { op: 'delete' }>[], results: Results, signal: AbortSignal): Promise<void> {
    if (writes.length === 0) return;
    const { parts, describe, spec } = this.#opened;
    const outcomes = await deleteById(
      { ...parts, object: describe.name, recordsPerCall: spec.side.recordsPerCall },
      writes.map(({ key }) => key),
      signal,
    );
    for (const [i, write] of writes.entries()) {
      const outcome = outcomes[i]!;
      if (outcome.ok) results.set(write, { status: 'written', key: write.key });
      else
        results.set(write, gone.has(outcome.reason.code) ? { status: 'gone' } : { status: 'rejected', reason: outcome.reason });
    }
  }
}

type Results = Map<SideWrite, SideResult>;

function of<Op extends SideWrite['op']>(writes: readonly SideWrite[], op: Op): Extract<SideWrite, { op: Op }>[] {
  return writes.filter((write): write is Extract<SideWrite, { op: Op }> => write.op === op);
}

/** Links and bases are the sync's to keep. */
const nothingKept: Commit = { epoch: 0, settle: async () => null };

/** @param key  of the record, null where it is not there */
function resultOf(answer: WriteResult, key: string | null): SideResult {
  if (answer.status === 'rejected') return answer;
  return key === null ? { status: 'gone' } : { status: 'written', key };
}

const gone = new Set(['ENTITY_IS_DELETED', 'INVALID_CROSS_REFERENCE_KEY', 'NOT_FOUND']);

function tellsOfGone(answer: WriteResult): boolean {
  return answer.status === 'rejected' && gone.has(answer.reason.code);
}
