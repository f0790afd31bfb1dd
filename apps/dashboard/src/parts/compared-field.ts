/** A field of a record in two or more places, or at two or more times. */
export interface ComparedField {
  readonly name: string;
  /** One for each column; undefined where there is none. */
  readonly values: readonly unknown[];
}
