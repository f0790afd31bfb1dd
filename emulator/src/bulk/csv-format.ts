/** Names of column delimiters in job bodies, and what they stand for (Bulk API 2.0 Developer Guide, "Create a Job"). */
const delimiters: Record<string, string> = { COMMA: ',', BACKQUOTE: '`', CARET: '^', PIPE: '|', SEMICOLON: ';', TAB: '\t' };

export const isDelimiter = (name: string): boolean => Object.hasOwn(delimiters, name);
/** @param name  One that `isDelimiter` knows. */
export const delimiterOf = (name: string): string => delimiters[name] as string;

export type LineEnding = 'LF' | 'CRLF';
export const lineBreakOf = (ending: LineEnding): string => (ending === 'LF' ? '\n' : '\r\n');
