import {
  type FieldType,
  type FieldValue,
  type Found,
  fieldAs,
  fieldAt,
  type Lookup,
  type LookupSpec,
  newRow,
  parseExact,
  type Rejection,
  RequestRefusedError,
  type Row,
  textOf,
  UnexpectedReplyError,
} from '@tidemark/core';
import { type HttpClient, type HttpRequest, ServerFaultError } from './client.ts';
import type { HttpLookup } from './config.ts';
import { eachAtOnce } from './each-at-once.ts';
import { Faults } from './faults.ts';
import { compilePath } from './path-template.ts';
import { type Reply, reasonOf } from './reply.ts';

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** What servers and proxies take in a request line. */
const PATH_LENGTH_MAX = 7_500;
/** These are about the request, whatever value it asks for. */
const ABOUT_REQUEST = [403, 404, 405, 406, 410, 415];

interface Refused {
  readonly refused: Rejection;
}

const LONG_REQUEST: Refused = {
  refused: { code: 'LOOKUP_VALUE', message: 'is too long to be asked for in a query: use method: POST' },
};

/** Asks an API for records by values of a field: for many in one request, or for each by its own path. */
export class HttpFinder implements Lookup {
  readonly valuesMax = 10_000;
  readonly types: ReadonlyMap<string, FieldType>;
  readonly #client: HttpClient;
  readonly #spec: LookupSpec<HttpLookup>;

  constructor(client: HttpClient, spec: LookupSpec<HttpLookup>) {
    this.#client = client;
    this.#spec = spec;
    this.types = new Map(spec.fields.map((name) => [name, spec.lookup.types[name] ?? 'text']));
  }

  async find(values: readonly FieldValue[], signal: AbortSignal): Promise<ReadonlyMap<string, Found>> {
    const found = new Map<string, Found>();
    const faults = new Faults();
    const texts = values.map((value) => textOf(value)!);
    if (this.#asksEach) {
      await eachAtOnce(texts, this.#client.concurrency, (text) => this.#findOne(text, found, faults, signal));
    } else {
      await this.#findTogether(texts, found, faults, signal);
    }
    faults.throwIfServers();
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  get #asksEach(): boolean {
    return this.#spec.lookup.path.includes('{value}');
  }

  async #findOne(text: string, found: Map<string, Found>, faults: Faults, signal: AbortSignal): Promise<void> {
    const filled = compilePath(this.#spec.lookup.path).fill(() => text);
    if ('refused' in filled) {
      found.set(text, filled);
      return;
    }
    const { method } = this.#spec.lookup;
    const body = method === 'POST' ? { body: JSON.stringify({ [this.#parameter]: text }) } : {};
    const reply = await this.#ask({ method, path: filled.path, ...body }, 1, faults, signal);
    if (!('refused' in reply) && (reply.status === 404 || reply.status === 410)) return;
    const answer = wholeAnswer(reply);
    if ('refused' in answer) found.set(text, answer);
    else this.#take(text, this.#recordsIn(answer), found);
  }

  /** In one request, and by halves where that is refused, too long to ask, or answered in pages. */
  async #findTogether(texts: readonly string[], found: Map<string, Found>, faults: Faults, signal: AbortSignal): Promise<void> {
    if (texts.length === 0) return;
    const request = this.#requestFor(texts);
    const tooLong = request.path.length > PATH_LENGTH_MAX;
    const reply = tooLong ? LONG_REQUEST : await this.#ask(request, texts.length, faults, signal);
    if (!('refused' in reply) && ABOUT_REQUEST.includes(reply.status)) {
      const hint = 'check path, method and the rights of these credentials';
      throw new RequestRefusedError(`${this.#spec.lookup.method} ${this.#spec.lookup.path} ${reasonOf(reply)}`, { hint });
    }
    const answer = wholeAnswer(reply);
    if ('refused' in answer && texts.length > 1) {
      const half = texts.length >> 1;
      await this.#findTogether(texts.slice(0, half), found, faults, signal);
      return this.#findTogether(texts.slice(half), found, faults, signal);
    }
    if ('refused' in answer) {
      found.set(texts[0]!, answer);
      return;
    }
    const byText = Map.groupBy(this.#recordsIn(answer), (record) => textOf(fieldAt(record, this.#spec.key)));
    for (const text of texts) this.#take(text, byText.get(text) ?? [], found);
  }

  /** An answer, or why there is none to these values though the server answers to others. A batch need not be faulty as a whole. */
  async #ask(request: HttpRequest, values: number, faults: Faults, signal: AbortSignal): Promise<Reply | Refused> {
    try {
      const reply = await this.#client.send(
        { ...request, ...(faults.areServers ? { retries: 0 } : {}), bytesMax: ANSWER_BYTES_MAX },
        signal,
      );
      faults.passed();
      return reply;
    } catch (error) {
      if (!(error instanceof ServerFaultError)) throw error;
      if (values === 1) faults.add(error);
      return { refused: { code: `HTTP_${error.status}`, message: error.message } };
    }
  }

  #requestFor(texts: readonly string[]): HttpRequest {
    const { method, path } = this.#spec.lookup;
    if (method === 'POST') return { method, path, body: JSON.stringify({ [this.#parameter]: texts }) };
    const query = new URLSearchParams(texts.map((text): [string, string] => [this.#parameter, text])).toString();
    return { method, path: `${path}${path.includes('?') ? '&' : '?'}${query}` };
  }

  get #parameter(): string {
    return this.#spec.lookup.parameter ?? this.#spec.key;
  }

  #recordsIn({ body, status, cut }: Reply): readonly FieldValue[] {
    if (cut) {
      const hint = 'ask for fewer at once (batch), or for fewer fields if the API can be told so';
      throw new RequestRefusedError(`the answer of ${this.#spec.lookup.path} is longer than ${ANSWER_BYTES_MAX} bytes`, { hint });
    }
    if (status === 204) return [];
    const answer = parseExact(body);
    if (answer === null) throw new UnexpectedReplyError(`${this.#spec.lookup.path} answered ${status}, and no JSON`);
    const { records } = this.#spec.lookup;
    const value = records === undefined ? answer.value : fieldAt(answer.value, records);
    if (Array.isArray(value)) return value as readonly FieldValue[];
    // Asked for one record an API answers with it, or with null.
    if (this.#asksEach) return value === null ? [] : [value];
    const message = `${this.#spec.lookup.path} answered with no array${records === undefined ? '' : ` in ${records}`}`;
    const names = typeof answer.value === 'object' && answer.value !== null ? Object.keys(answer.value).slice(0, 10) : [];
    throw new RequestRefusedError(message, { hint: `set records to where the records are, among ${names.join(', ')}` });
  }

  #take(text: string, records: readonly FieldValue[], found: Map<string, Found>): void {
    if (records.length === 0) return;
    const rows: Row[] = [];
    for (const record of records) {
      const row = newRow();
      for (const [name, type] of this.types) {
        const value = fieldAs(type, fieldAt(record, name));
        if (value === undefined) {
          found.set(text, { refused: { code: 'LOOKUP_VALUE', message: `what was found has no ${type} in ${name}` } });
          return;
        }
        row[name] = value;
      }
      rows.push(row);
    }
    found.set(text, rows);
  }
}

/** The answer, or why it is none that could be taken for the whole. */
function wholeAnswer(reply: Reply | Refused): Reply | Refused {
  if ('refused' in reply) return reply;
  if (reply.status >= 300) return { refused: { code: `HTTP_${reply.status}`, message: reasonOf(reply) } };
  // RFC 8288: there is more than what came, and what is missing would look as if it did not exist.
  const paged = /\brel="?next\b/i.test(reply.headers.get('link') ?? '');
  return paged ? { refused: { code: 'LOOKUP_PAGED', message: 'is answered in several pages' } } : reply;
}
