import type { Edit } from './simulation.ts';

/** Edits of one source file: what stands there once, and what is to stand there instead. */
export function inFile(file: string): (find: string, replace: string) => Edit {
  return (find, replace) => ({ file, find, replace });
}
