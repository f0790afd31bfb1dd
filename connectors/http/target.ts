import {
  type Change,
  type Commit,
  deletePreview,
  noCalls,
  type Rejection,
  refusedPreview,
  type SchemaChange,
  sendPreview,
  type Target,
  type TargetPreview,
  type TargetSpec,
  UnexpectedReplyError,
  unchangedPreview,
  type WriteResult,
} from '@tidemark/core';
import { type HttpClient, type HttpRequest, ServerFaultError } from './client.ts';
import type { HttpTo } from './config.ts';
import { eachAtOnce } from './each-at-once.ts';
import { Faults } from './faults.ts';
import { type Message, Messages } from './messages.ts';
import { parsed, type Reply, reasonOf } from './reply.ts';
import { idempotencyKey } from './signature.ts';

/** Records in a write whose requests carry one each: so many at most are sent again after a crash. */
const WRITE_RECORDS = 100;
/** An answer about each record of a batch takes no more. */
const MULTI_STATUS_BYTES = 4 * 1024 * 1024;

/** A change with what is sent for it. */
interface Sent {
  readonly at: number;
  readonly change: Change;
  readonly message: Message;
}

/**
 * Sends each change, or several in one request. It cannot compare and keeps no checkpoint: what is sent cannot be taken back, so a
 * crash may repeat some, with the same Idempotency-Key.
 */
export class HttpTarget implements Target {
  readonly batchSizeMax: number;
  readonly compares = false;
  readonly #client: HttpClient;
  readonly #spec: TargetSpec<HttpTo>;
  readonly #messages: Messages;
  /**
   * What went well in a write that did not come to its end, by idempotency key: the engine gives the same changes again, and
   * none is sent twice for the sake of another.
   */
  readonly #answered = new Map<string, readonly WriteResult[]>();

  constructor(client: HttpClient, spec: TargetSpec<HttpTo>) {
    this.#client = client;
    this.#spec = spec;
    this.#messages = new Messages(spec);
    this.batchSizeMax = spec.to.batch * Math.ceil(WRITE_RECORDS / spec.to.batch);
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const { sent, results } = this.#sorted(changes);
    const faults = new Faults();
    await eachAtOnce(this.#requests(sent), this.#client.concurrency, async (records) => {
      const answers = await this.#deliver(records, faults, signal);
      for (const [i, { at }] of records.entries()) results[at] = answers[i]!;
    });
    // Only now is it known whether the server or the records were at fault.
    faults.throwIfServers();
    await commit.settle(results);
    this.#answered.clear();
    return results;
  }

  openPreview(): TargetPreview {
    const calls = noCalls();
    return {
      calls,
      write: async (changes) => {
        const { sent, results } = this.#sorted(changes);
        calls.requests += this.#requests(sent).length;
        return changes.map(({ row }, at) => {
          const result = results[at];
          if (result?.status === 'rejected') return refusedPreview(result.reason);
          if (result !== undefined) return unchangedPreview;
          return row === null ? deletePreview : sendPreview(row, this.#spec.schema);
        });
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** What is to be sent; what is not has its result already. */
  #sorted(changes: readonly Change[]): { readonly sent: readonly Sent[]; readonly results: WriteResult[] } {
    const results: WriteResult[] = new Array(changes.length);
    const sent: Sent[] = [];
    for (const [at, change] of changes.entries()) {
      const message = this.#ignores(change) ? null : this.#messages.of(change);
      if (message === null) results[at] = { status: 'unchanged' };
      else if ('refused' in message) results[at] = { status: 'rejected', reason: message.refused };
      else sent.push({ at, change, message });
    }
    return { sent, results };
  }

  #ignores({ op }: Change): boolean {
    return op === 'delete' && this.#spec.deletes === 'ignore';
  }

  /** Records that go into one request each: those without a body alone, the others as many as a batch takes. */
  #requests(sent: readonly Sent[]): readonly (readonly Sent[])[] {
    const requests: (readonly Sent[])[] = [];
    const { batch } = this.#spec.to;
    const bodies = sent.filter(({ message }) => message.content !== null);
    for (const each of sent) if (each.message.content === null) requests.push([each]);
    for (let at = 0; at < bodies.length; at += batch) requests.push(bodies.slice(at, at + batch));
    return requests;
  }

  /** Sends one request, and a batch that is refused by halves, until the record is named that it was refused for. */
  async #deliver(records: readonly Sent[], faults: Faults, signal: AbortSignal): Promise<readonly WriteResult[]> {
    const key = this.#keyOf(records);
    const before = this.#answered.get(key);
    if (before !== undefined) return before;
    const answers = await this.#send(records, key, faults, signal);
    if (answers === null) {
      const half = records.length >> 1;
      const first = await this.#deliver(records.slice(0, half), faults, signal);
      return [...first, ...(await this.#deliver(records.slice(half), faults, signal))];
    }
    if (answers.every(({ status }) => status !== 'rejected')) this.#answered.set(key, answers);
    return answers;
  }

  /** Null when several records were refused together. */
  async #send(
    records: readonly Sent[],
    key: string,
    faults: Faults,
    signal: AbortSignal,
  ): Promise<readonly WriteResult[] | null> {
    const { method, path } = records[0]!.message;
    const body = this.#bodyOf(records);
    const request: HttpRequest = {
      method,
      path,
      idempotencyKey: key,
      bytesMax: MULTI_STATUS_BYTES,
      ...(body === null ? {} : { body }),
      ...(faults.areServers ? { retries: 0 } : {}),
    };
    let reply: Reply;
    try {
      reply = await this.#client.send(request, signal);
    } catch (error) {
      if (!(error instanceof ServerFaultError)) throw error;
      if (records.length > 1) return null;
      faults.add(error);
      return [rejected({ code: `HTTP_${error.status}`, message: error.message })];
    }
    // It is there and judges what it is sent.
    faults.passed();
    if (reply.status === 207) return this.#multiStatus(records, reply);
    if (reply.status < 300) return records.map(done);
    // What is to be deleted and is not there is as it should be.
    if (method === 'DELETE' && (reply.status === 404 || reply.status === 410))
      return records.map(() => ({ status: 'unchanged' }));
    if (records.length > 1) return null;
    return [rejected({ code: `HTTP_${reply.status}`, message: reasonOf(reply) })];
  }

  #bodyOf(records: readonly Sent[]): string | null {
    if (this.#spec.to.batch > 1 && records[0]!.message.content !== null) {
      return `[${records.map(({ message }) => message.content).join(',')}]`;
    }
    return records[0]!.message.content;
  }

  #keyOf(records: readonly Sent[]): string {
    const parts = records.map(({ change: { key, op, stampMs }, message }) => ({
      key,
      op,
      stampMs,
      content: `${message.method} ${message.path} ${message.content ?? ''}`,
    }));
    return idempotencyKey(this.#spec.unit, parts);
  }

  /** 207: the answer says of each record what became of it. One that cannot be understood is never taken for success. */
  #multiStatus(records: readonly Sent[], reply: Reply): readonly WriteResult[] {
    const each: unknown = parsed(reply.body);
    const understood = !reply.cut && Array.isArray(each) && each.length === records.length && each.every(hasStatus);
    if (!understood) {
      const message = `answered 207, and not with an array of ${records.length} objects that each have a status`;
      throw new UnexpectedReplyError(message, { hint: 'set batch: 1 to have each record answered by itself' });
    }
    return each.map((answer, i): WriteResult => {
      if (answer.status < 300) return done(records[i]!);
      const reason = reasonOf({ status: answer.status, headers: jsonHeaders, body: JSON.stringify(answer) });
      return rejected({ code: `HTTP_${answer.status}`, message: reason });
    });
  }
}

const jsonHeaders = new Headers({ 'content-type': 'application/json' });

function hasStatus(value: unknown): value is { status: number } {
  return typeof value === 'object' && value !== null && Number.isInteger((value as { status?: unknown }).status);
}

function done({ change }: Sent): WriteResult {
  return { status: change.op === 'delete' ? 'deleted' : 'updated' };
}

function rejected(reason: Rejection): WriteResult {
  return { status: 'rejected', reason };
}
