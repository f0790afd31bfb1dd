import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCodes, toSyncError } from '../../connectors/postgres/errors.ts';
import { errorOfReply, replyCodes } from '../../connectors/salesforce/errors.ts';
import { SyncError } from '../../core/src/base/errors.ts';
import { remedies, remedyOf } from '../../core/src/control/remedy.ts';
import { root } from '../run-command.ts';
import { type CodeFile, collectCodes } from './collect-codes.ts';
import { httpEntries, notCodes, recordEntries, runEntries } from './entries.ts';

/** The page with every error code. @throws a code of ours has no entry, or an entry has no code */
export async function errorReference(): Promise<string> {
  compareWithSource(collectCodes(await sourceFiles()));
  return page;
}

/** What we throw and answer with is in these. */
async function sourceFiles(): Promise<CodeFile[]> {
  const files: CodeFile[] = [];
  for await (const found of glob(['core/src/**/*.ts', 'connectors/**/*.ts', 'apps/tidemark/src/**/*.ts'], { cwd: root })) {
    const path = found.replaceAll('\\', '/');
    if (/node_modules|fixture|conformance|testing\.ts$|\.test\.ts$/.test(path)) continue;
    files.push({ path, text: await readFile(join(root, path), 'utf8') });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Exported for tests. @throws what is not told, and what is told and does not exist any more */
export function compareWithSource(found: ReadonlyMap<string, string>): void {
  const told = new Set([...runEntries, ...recordEntries, ...httpEntries].map(({ code }) => code));
  const known = new Set([...told, ...notCodes.keys()]);
  const untold = [...found].filter(([code]) => !known.has(code)).map(([code, path]) => `${path} has the code ${code}`);
  const gone = [...known]
    .filter((code) => !found.has(code))
    .map((code) => `nothing has the code ${JSON.stringify(code)} any more`);
  if (untold.length + gone.length === 0) return;
  throw new Error(`tools/errors/entries.ts does not tell every error code: ${[...untold, ...gone].join('; ')}`);
}

const cell = (text: string) => text.replaceAll('|', '\\|');
const row = (...cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((each) => row(...each))].join('\n');
const names = (codes: readonly string[]) => codes.map((code) => `\`${code}\``).join(', ');

/** Codes that failures show as the other systems gave them; ours have been told before. */
const foreign = remedies.flatMap(({ codes, remedy }) => {
  const own: ReadonlySet<string> = new Set([...recordEntries, ...runEntries].map(({ code }) => code));
  const theirs = codes.filter((code) => !own.has(code));
  return theirs.length === 0 ? [] : [[names(theirs), remedy]];
});

function mapped(codes: readonly string[], errorOf: (code: string) => unknown): readonly (readonly string[])[] {
  return codes.flatMap((code) => {
    const error = errorOf(code);
    return error instanceof SyncError ? [[`\`${code}\``, `\`${error.code}\``, error.hint ?? 'as above']] : [];
  });
}

const page = `# Error codes

Generated from the code by \`node tools/generate.ts\`. Do not edit: causes and remedies are in \`tools/errors/entries.ts\`.

An error says what is wrong and where, what to do (\`to do:\`, \`hint\`), and has a \`code:\` that does not change when its words do.
\`--json\`, the log, \`tidemark runs\` and the HTTP API carry the same code.

## Commands, runs and streams

${table(
  ['code', 'what happened', 'to do'],
  runEntries.map(({ code, cause, remedy }) => [`\`${code}\``, cause, remedy]),
)}

## Records

Shown by \`tidemark failures list\`, with a remedy. Everything else goes on; the record is tried again, or at once by
\`tidemark failures retry\`, and \`tidemark failures discard\` gives it up.

${table(
  ['code', 'why the record was refused', 'to do'],
  recordEntries.map(({ code, cause, place = 'target' }) => [`\`${code}\``, cause, remedyOf({ code, place })]),
)}

What the other system itself refuses has that system's own code: of Salesforce, an SQLSTATE of PostgreSQL, of SQLite, a number of
MongoDB, or \`HTTP_\` and a status. The message is its own, too. What is known to help (\`*\` stands for whatever follows):

${table(['code', 'to do'], foreign)}

## HTTP API and hooks

\`{"error": {"code", "message", "hint"}}\`, and these, besides the codes above:

${table(
  ['code', 'status', 'what happened', 'to do'],
  httpEntries.map(({ code, status, cause, remedy }) => [`\`${code}\``, status, cause, remedy]),
)}

## What Salesforce answers

Salesforce's own code stands in brackets at the end of the message. What becomes of it:

${table(
  ['Salesforce says', 'code', 'to do'],
  mapped(replyCodes, (errorCode) => errorOfReply(400, [{ errorCode, message: errorCode }], 'a request')),
)}

## What PostgreSQL answers

By SQLSTATE, by the first letters of one, or by what the network says; the longest that fits counts.

${table(
  ['PostgreSQL or network', 'code', 'to do'],
  mapped([...errorCodes].sort(), (code) => toSyncError(Object.assign(new Error(code), { code }))),
)}
`;
