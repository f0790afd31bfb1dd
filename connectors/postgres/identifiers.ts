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
