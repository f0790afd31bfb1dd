import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { compareStructure, type Difference } from './structure.ts';

/** A folder of recordings, and everything in which the emulator was found to differ from them. */
export interface Recording {
  /** A recorded file's JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever was recorded
  json(file: string): any;
  /** The same in structure. */
  alike(file: string, recorded: unknown, ours: unknown, path?: string): void;
  /** The same in value. */
  equal(file: string, path: string, recorded: unknown, ours: unknown): void;
  add(differences: readonly Difference[]): void;
  readonly differences: readonly Difference[];
  /** How many comparisons were made, so that none is silently skipped. */
  readonly comparisons: number;
}

export function openRecording(folder: string): Recording {
  const differences: Difference[] = [];
  let comparisons = 0;
  const add = (found: readonly Difference[]) => {
    comparisons++;
    differences.push(...found);
  };
  return {
    differences,
    get comparisons() {
      return comparisons;
    },
    json: (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')),
    alike: (file, recorded, ours, path = '') => add(compareStructure(file, recorded, ours, path)),
    equal(file, path, recorded, ours) {
      const same = isDeepStrictEqual(recorded, ours);
      add(same ? [] : [{ file, path, what: `${show(recorded)}, here ${show(ours)}` }]);
    },
    add,
  };
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each)) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
