import { CheckpointExpiredError } from '@tidemark/core';
import type { SqlValue } from './values.ts';

/** Values of a row that say where to go on, as one string. Integers and blobs keep their kind, since SQLite sorts by it. */
export function encodePosition(values: readonly SqlValue[]): string {
  return JSON.stringify(
    values.map((value) =>
      typeof value === 'bigint'
        ? { int: String(value) }
        : value instanceof Uint8Array
          ? { blob: Buffer.from(value).toString('base64') }
          : value,
    ),
  );
}

/** @throws {CheckpointExpiredError} it is none of ours, or of another key. */
export function decodePosition(position: string, length: number): SqlValue[] {
  try {
    const parts = JSON.parse(position) as (string | number | null | { int?: string; blob?: string })[];
    if (Array.isArray(parts) && parts.length === length) {
      return parts.map((part) => {
        if (part === null || typeof part !== 'object') return part;
        return part.int === undefined ? Buffer.from(part.blob!, 'base64') : BigInt(part.int);
      });
    }
  } catch {
    // Told below.
  }
  throw new CheckpointExpiredError('The checkpoint is none of this source as it is configured now', {
    hint: 'Run in full once.',
  });
}
