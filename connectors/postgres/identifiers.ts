import { RequestRefusedError } from '@tidemark/core';

/** The only way in which a name enters a statement. */
export function quoteName(name: string): string {
  if (name === '' || name.includes('\0')) throw new RequestRefusedError(`PostgreSQL takes no name like ${JSON.stringify(name)}`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a literal, for statements that take no parameters. */
export function quoteText(text: string): string {
  return text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`;
}

/** PostgreSQL cuts longer names without a word. */
export const NAME_BYTES_MAX = 63;

/** A text between quotes that it cannot hold: the body of a function may name anything. */
export function dollarQuoted(body: string): string {
  for (let n = 0; ; n++) {
    const delimiter = `$tidemark${n === 0 ? '' : n}$`;
    if (!body.includes(delimiter)) return `${delimiter}\n${body}\n${delimiter}`;
  }
}
