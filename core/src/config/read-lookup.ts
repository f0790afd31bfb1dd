import type { FieldMapping, LookupConfig, LookupMatch } from './config.ts';
import type { Path } from './located-yaml.ts';
import { lookupExtras } from './lookup-schema.ts';
import { isBlock } from './read-connections.ts';
import { checkedExpression, findConnection, parseWithExtras, readMappings, type SyncContext } from './read-sync.ts';
import type { Report } from './report.ts';
import { stepSchemas } from './schema.ts';

const FOUND = 'found.';
const RECORD = 'record.';

/** A `lookup:` step, checked; null when something about it is wrong, and then it is in the report. */
export function readLookup(
  step: Record<string, unknown>,
  name: string,
  stepPath: Path,
  context: SyncContext,
): LookupConfig | null {
  const { report } = context;
  const path = [...stepPath, 'lookup'];
  const parsedStep = report.parse(stepSchemas.lookup, step, stepPath)?.data;
  const block = step.lookup;
  if (parsedStep === undefined || !isBlock(block)) return null;
  if (!('connection' in block)) {
    report.error([...path, 'connection'], 'is missing', 'name the connection in which to look');
    return null;
  }
  const connection = findConnection(block.connection, [...path, 'connection'], context);
  if (connection === null) return null;
  const { lookup, name: type } = connection.connector;
  if (lookup === undefined) {
    report.error([...path, 'connection'], `is of type ${type}, in which nothing can be looked up`, 'use a run: step');
    return null;
  }
  const parsed = parseWithExtras(block, lookup, lookupExtras, path, report, {});
  if (parsed === null) return null;
  const { extras, spec } = parsed;
  const by = readBy(extras.by, [...path, 'by'], report);
  const match = extras.match === undefined ? null : readMatch(extras.match, [...path, 'match'], report);
  if (by === null || (match === null && extras.match !== undefined)) return null;
  if (extras.fields === undefined && extras.missing === 'keep') {
    const hint =
      'name fields: to take from what is found, or missing: drop or fail to let only records on for which there is one';
    report.error(path, 'has no effect', hint);
    return null;
  }
  return {
    kind: 'lookup',
    name,
    connection: connection.name,
    spec,
    key: extras.key,
    by,
    fields: new Map(Object.entries(extras.fields ?? {})),
    match,
    missing: extras.missing,
    several: extras.several,
    batch: extras.batch,
    cacheMs: extras.cache,
    notes: parsedStep.notes ?? null,
  };
}

function readBy(text: string, path: Path, report: Report): FieldMapping | null {
  // A mapping of one field: its problems are told at the place of the whole.
  return readMappings({ by: text }, path.slice(0, -1), report)?.get('by') ?? null;
}

function readMatch(match: string | Readonly<Record<string, string>>, path: Path, report: Report): LookupMatch | null {
  if (typeof match !== 'string') {
    const equal = new Map(Object.entries(match));
    return { expression: null, equal, found: [...equal.keys()], record: [...equal.values()] };
  }
  const expression = match.trimStart().replace(/^=/, '').trim();
  const checked = checkedExpression(expression, path, report);
  if (checked === null) return null;
  const { reads } = checked;
  if (reads === null || reads.some((read) => !read.startsWith(FOUND) && !read.startsWith(RECORD))) {
    const wrong = reads?.find((read) => !read.startsWith(FOUND) && !read.startsWith(RECORD));
    report.error(
      path,
      wrong === undefined ? 'does not tell which fields it looks at' : `looks at ${wrong}, and nobody knows whose field that is`,
      'write found.Field for a field of what was found, and record.Field for one of the record',
    );
    return null;
  }
  const named = (prefix: string) => reads.flatMap((read) => (read.startsWith(prefix) ? [read.slice(prefix.length)] : []));
  return { expression, equal: new Map(), found: named(FOUND), record: named(RECORD) };
}
