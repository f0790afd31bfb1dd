/** A formula that cannot be used: misspelt, of the wrong types, or beyond what this org understands. */
export class FormulaError extends TypeError {
  override readonly name = 'FormulaError';
}

/** What a formula could not work out for one record, as a division by zero: its field then reads null. */
export class FormulaFailure extends Error {
  override readonly name = 'FormulaFailure';
}

/** Types are known before any value is. `blank` is that of `NULL`, and fits everywhere. */
export type FormulaType = 'number' | 'text' | 'boolean' | 'date' | 'datetime' | 'time' | 'picklist' | 'multipicklist' | 'blank';

/** A value on its way: dates and times as they are stored, blank text is null. */
export type Cell = string | number | boolean | null;

export type Expression =
  | { kind: 'literal'; value: Cell; type: FormulaType }
  | { kind: 'field'; path: string }
  /** A function, or an operator by its sign. */
  | { kind: 'call'; name: string; parts: readonly Expression[] };

/** What an evaluation can ask for. */
export interface Situation {
  /** The formula's inputs, in their order. */
  readonly inputs: readonly Cell[];
  readonly nowMs: number;
}

/** An expression that is ready to be worked out. */
export interface Compiled {
  readonly type: FormulaType;
  /** @throws {FormulaFailure} */
  work(situation: Situation): Cell;
}
