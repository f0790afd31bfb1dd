import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Rows } from '../../model/rows.ts';
import type { Row } from '../../model/value.ts';
import { StatedError } from '../v1/refuse.ts';

/** Of all that a row tells: who has the same has seen the same. */
export function etagOf(row: Row, { schema }: Rows): string {
  const values = schema.fields.map(({ name }) => row[name] ?? null);
  return `"${createHash('sha256').update(JSON.stringify(values)).digest('base64url').slice(0, 27)}"`;
}

/** Whether whoever asks has this row already. */
export function hasSeen(etag: string, { 'if-none-match': given }: IncomingHttpHeaders): boolean {
  return given !== undefined && (given.trim() === '*' || tagsIn(given, true).includes(etag));
}

/**
 * What has to be true of a row before it is written, as whoever asks says it.
 * @returns checks it, with the row as it is under its lock; null stands for one that is not there
 * @throws {StatedError} 428: whoever changes what is there says which state of it they mean
 */
export function conditionOf(headers: IncomingHttpHeaders, rows: Rows): (current: Row | null) => void {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match === undefined && noneMatch?.trim() !== '*') {
    const hint = 'send If-Match with the ETag of the row as you read it, or * for whatever it is';
    throw new StatedError(428, 'precondition_required', 'which state of the row is meant was not said', hint);
  }
  return (current) => {
    if (noneMatch?.trim() === '*' && current !== null) {
      throw failed('there is such a row already', 'change it with If-Match, or take another key');
    }
    if (match === undefined || current === null || match.trim() === '*') return;
    if (!tagsIn(match, false).includes(etagOf(current, rows))) {
      throw failed('the row has changed since it was read', 'read it again, and decide anew');
    }
  };
}

function failed(message: string, hint: string): StatedError {
  return new StatedError(412, 'precondition_failed', message, hint);
}

/** A weak tag means nothing that may be written over. */
function tagsIn(header: string, weak: boolean): readonly string[] {
  return [...header.matchAll(/(W\/)?("[^"]*")/g)].flatMap(([, isWeak, tag]) => (isWeak === undefined || weak ? [tag!] : []));
}
