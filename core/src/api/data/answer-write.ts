import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operation } from '../../control/operations.ts';
import type { RecordOutcome } from '../../model/inbox.ts';
import { errorOf } from '../error-of.ts';
import { secondsToWait, WAIT_HINT } from '../hook/seconds-to-wait.ts';
import { toldRecord } from '../hook/tell-receipt.ts';
import type { ApiParts } from '../v1/endpoint.ts';
import { badRequest } from './bad-request.ts';
import { etagOf } from './etag.ts';
import type { AskedTable } from './find-table.ts';
import { rowWithKey } from './read-row.ts';
import { noRow } from './write-row.ts';

/** What was done to a row in the database. */
export interface Done {
  readonly key: string;
  readonly did: 'created' | 'changed' | 'deleted';
}

const statuses: Readonly<Record<Done['did'], number>> = { created: 201, changed: 200, deleted: 204 };

/** @throws {StatedError} whoever asks wants to wait where nothing is to be waited for */
export function readWait({ table }: AskedTable, request: FastifyRequest): number {
  const query = request.query as Readonly<Record<string, unknown>>;
  const [other] = Object.keys(query).filter((name) => name !== 'wait');
  if (other !== undefined) throw badRequest(other.slice(0, 80), 'is no parameter of this', 'it takes wait, and no other');
  if (query.wait !== undefined && table.access !== 'write-through') {
    throw badRequest(
      'wait',
      'the row goes to the database, and nobody answers for it',
      'leave it out, or configure write-through',
    );
  }
  const seconds = secondsToWait(query);
  if (seconds === null) throw badRequest('wait', 'takes whole seconds', WAIT_HINT);
  return seconds;
}

/** The row as it is now; or, where the other side of a sync has to take it as well, what that made of it, or where that will be told. */
export async function answerWrite(
  asked: AskedTable,
  done: Done,
  waitSeconds: number,
  parts: ApiParts,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { table } = asked;
  if (done.did === 'created') reply.header('location', `${asked.path}/${encodeURIComponent(done.key)}`);
  if (table.access !== 'write-through') {
    const row = done.did === 'deleted' ? null : await rowWithKey(asked.rows, done.key);
    if (row === null && done.did !== 'deleted') throw noRow(asked.path);
    if (row !== null) reply.header('etag', etagOf(row, asked.rows));
    return reply.code(statuses[done.did]).send(row ?? undefined);
  }
  const begun = parts.operations.begin('write', table.pairing!.sync, ({ signal }) => parts.engine.bring(table, done.key, signal));
  const ended = waitSeconds === 0 ? begun : await endOf(begun, waitSeconds, parts, reply);
  return tellOperation(asked, done, { operation: ended, waitSeconds }, reply);
}

async function tellOperation(
  asked: AskedTable,
  { key, did }: Done,
  { operation, waitSeconds }: { readonly operation: Operation; readonly waitSeconds: number },
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { id, state, error } = operation;
  const outcome = state === 'done' ? (operation.result as RecordOutcome) : null;
  const href = `/api/v1/operations/${id}`;
  const row = did === 'deleted' ? null : await rowWithKey(asked.rows, key);
  if (row !== null) reply.header('etag', etagOf(row, asked.rows));
  const isRetried = outcome?.status === 'refused' && outcome.code !== 'conflict';
  const told = {
    ...{ id, href, status: outcome === null ? 'pending' : outcome.status === 'refused' ? 'refused' : 'done' },
    ...{ record: toldRecord(key, outcome, new Set(isRetried ? [key] : [])), data: row },
  };
  if (outcome?.status === 'refused') {
    const hint = isRetried
      ? 'the row is kept and tried again by itself; change it to what is taken'
      : 'see GET /api/v1/conflicts';
    return reply.code(422).send({ ...errorOf(outcome.code!, outcome.message ?? '', hint), ...told });
  }
  if (outcome !== null) return reply.code(did === 'created' ? 201 : 200).send(told);
  if (waitSeconds === 0) return reply.code(202).header('location', href).send(told);
  const message = error?.message ?? `there was no outcome within ${waitSeconds} s`;
  const hint = `the row is kept and the sync will bring it on: ask ${href}`;
  return reply.code(504).send({ ...errorOf('outcome_pending', message, hint), ...told });
}

/** The operation once it has ended, or as it is when the time is up or nobody waits any more. */
async function endOf(begun: Operation, seconds: number, { operations, stop }: ApiParts, reply: FastifyReply): Promise<Operation> {
  const over = new AbortController();
  const leave = () => over.abort();
  reply.raw.once('close', leave);
  const timeUp = AbortSignal.any([over.signal, stop, AbortSignal.timeout(seconds * 1000)]);
  let latest = begun;
  const unsubscribe = operations.onChange((operation) => {
    if (operation.id === begun.id) latest = operation;
    if (latest.state !== 'running') leave();
  });
  if (!timeUp.aborted) await new Promise((resolve) => timeUp.addEventListener('abort', resolve, { once: true }));
  unsubscribe();
  reply.raw.off('close', leave);
  return latest;
}
