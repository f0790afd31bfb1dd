import { createHash } from 'node:crypto';
import { SalesforceError } from '../../org/types.ts';
import type { ApiRequest } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';

/** What a record's conditional headers are compared with; HTTP dates know whole seconds, and so do these. */
interface RecordState {
  readonly modifiedAtMs: number;
  /** Of accounts only. */
  readonly etag: string | undefined;
}

/** REST API Developer Guide, "Conditional Request Headers": by date for every object, by ETag for accounts; deletes know none. */
export interface RecordConditions {
  /** `Last-Modified` and `ETag`. */
  readonly headers: Record<string, string>;
  /** The client has the record as it is: 304 is all it needs. */
  readonly isUnchanged: boolean;
}

/** @throws {SalesforceError} 412 when the client's condition for reading does not hold. */
export function readConditions(object: string, id: string, request: ApiRequest, context: EmulatorContext): RecordConditions {
  const state = stateOf(object, id, request, context);
  if (!state) return { headers: {}, isUnchanged: false };
  requireUnchanged(state, request);
  const { headers } = request;
  const seen = headers['if-none-match'];
  const isUnchanged =
    seen !== undefined && state.etag !== undefined
      ? names(seen, state.etag)
      : state.modifiedAtMs <= Date.parse(headers['if-modified-since'] ?? '');
  const etag = state.etag === undefined ? {} : { ETag: state.etag };
  return { headers: { 'Last-Modified': new Date(state.modifiedAtMs).toUTCString(), ...etag }, isUnchanged };
}

/** @throws {SalesforceError} 412 when the record was edited since the client looked at it. */
export function checkWriteConditions(object: string, id: string, request: ApiRequest, context: EmulatorContext): void {
  const { headers } = request;
  if (!conditions.some((name) => headers[name] !== undefined)) return;
  const state = stateOf(object, id, request, context);
  if (!state) return;
  requireUnchanged(state, request);
  const seen = headers['if-none-match'];
  if (seen !== undefined && state.etag !== undefined && names(seen, state.etag)) throw preconditionFailed();
}

const conditions = ['if-match', 'if-none-match', 'if-unmodified-since'] as const;

function requireUnchanged({ modifiedAtMs, etag }: RecordState, { headers }: ApiRequest): void {
  const wanted = headers['if-match'];
  if (wanted !== undefined && etag !== undefined && !names(wanted, etag)) throw preconditionFailed();
  if (modifiedAtMs > Date.parse(headers['if-unmodified-since'] ?? '')) throw preconditionFailed();
}

/** `"a", "b"` or `*`; a proxy that zips may have added to a tag. */
const names = (header: string, etag: string) =>
  header.trim() === '*' ||
  header
    .split(',')
    .map((tag) =>
      tag
        .trim()
        .replace(/^W\//, '')
        .replace(/-?-gzip"$/, '"'),
    )
    .includes(etag);

/** The status is documented, its words are not. */
const preconditionFailed = () =>
  new SalesforceError('PRECONDITION_FAILED', 'The precondition of the request does not hold', { httpStatus: 412 });

function stateOf(
  object: string,
  id: string,
  { version, transaction }: ApiRequest,
  { org }: EmulatorContext,
): RecordState | undefined {
  const hasEtag = object === 'Account';
  if (!org.schema.field(object, 'LastModifiedDate')) return undefined;
  const row = org.retrieve(object, id, version.text, hasEtag ? undefined : ['LastModifiedDate'], { transaction });
  if (!row) return undefined;
  const etag = hasEtag ? `"${createHash('md5').update(JSON.stringify(row)).digest('base64url')}"` : undefined;
  return { modifiedAtMs: Date.parse(String(row.LastModifiedDate)), etag };
}
