/**
 * A one-dimensional array in PostgreSQL's text form. The driver's own makes the same of an array, by way of two regular expressions
 * a value.
 * @see PostgreSQL documentation, "Arrays", Array Input and Output Syntax
 */
export function arrayText(values: readonly (string | null)[]): string {
  const parts = new Array<string>(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    parts[i] = value === null ? 'NULL' : quoted(value);
  }
  return `{${parts.join(',')}}`;
}

/** Of numbers. */
export function numbersText(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

function quoted(text: string): string {
  return text.includes('"') || text.includes('\\') ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
