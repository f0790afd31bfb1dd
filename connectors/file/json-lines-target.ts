import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type Change,
  type Commit,
  NO_STAMP,
  type SchemaChange,
  type Target,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import type { FileTo } from './config.ts';
import { syncFolder } from './durable.ts';
import { fileError } from './errors.ts';
import type { Place } from './place.ts';

const LINE_FEED = 10;

/**
 * A log of changes, one JSON object a line, only ever appended to. Lines are on the disk before the checkpoint moves past them (P1);
 * after a crash some may come twice, and a line that was cut is taken away before the next is written.
 */
export class JsonLinesTarget implements Target {
  readonly batchSizeMax = 10_000;
  readonly compares = false;
  readonly #place: Place;
  readonly #spec: TargetSpec<FileTo>;
  /** Whether the end of the file has been looked at. */
  #mended = false;

  constructor(place: Place, spec: TargetSpec<FileTo>) {
    this.#place = place;
    this.#spec = spec;
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const kept = changes.filter(({ op }) => op === 'upsert' || this.#spec.deletes !== 'ignore');
    if (kept.length > 0) await this.#append(kept.map((change) => `${lineOf(change)}\n`).join(''));
    const results = changes.map(({ op }): WriteResult => {
      if (op === 'upsert') return { status: 'updated' };
      return { status: this.#spec.deletes === 'ignore' ? 'unchanged' : 'deleted' };
    });
    await commit.settle(results);
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #append(text: string): Promise<void> {
    try {
      await mkdir(dirname(this.#place.path), { recursive: true });
      // Opened for each batch, so that the file may be moved away between two of them.
      const handle = await open(this.#place.path, 'a+');
      try {
        if (!this.#mended) await mendEnd(handle);
        this.#mended = true;
        const { size } = await handle.stat();
        await writeWhole(handle, text, size);
        if (size === 0) await syncFolder(dirname(this.#place.path));
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw fileError(error, this.#place.name);
    }
  }
}

function lineOf({ op, key, row, stampMs }: Change): string {
  return JSON.stringify({ op, key, ...(stampMs !== NO_STAMP && { modifiedAt: new Date(stampMs).toISOString() }), row });
}

/** All of it on the disk, or (disk full) nothing of it in the file. */
async function writeWhole(handle: FileHandle, text: string, size: number): Promise<void> {
  try {
    await handle.appendFile(text, 'utf8');
    await handle.sync();
  } catch (error) {
    await handle.truncate(size);
    throw error;
  }
}

/** A crash in the middle of an append leaves a piece of a line, whose change comes again. A whole last line is only ended. */
async function mendEnd(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  const begin = await lastLineStart(handle, size);
  if (begin === size) return;
  const last = Buffer.alloc(size - begin);
  await handle.read(last, 0, last.length, begin);
  if (isJson(last.toString('utf8'))) await handle.appendFile('\n');
  else await handle.truncate(begin);
}

async function lastLineStart(handle: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - block.length);
    const { bytesRead } = await handle.read(block, 0, end - begin, begin);
    const found = block.subarray(0, bytesRead).lastIndexOf(LINE_FEED);
    if (found >= 0) return begin + found + 1;
    end = begin;
  }
  return 0;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
