import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ZodType } from 'zod';
import type { ConnectionConfig, SyncConfig } from './config.ts';
import { inputSchema } from './connector-schema.ts';

/**
 * A hash of everything that decides what lands in the target; kept with the checkpoint. Schedules, notes and credentials
 * are no part of it, nor what a connector's fields call a manner (`.meta({ manner: true })`); the code of `run:` files is, because a changed function makes other rows of old records.
 */
export function fingerprint(sync: Omit<SyncConfig, 'fingerprint'>, connections: ReadonlyMap<string, ConnectionConfig>): string {
  const connector = (name: string) => connections.get(name)?.connector;
  const type = (name: string) => connector(name)?.name;
  const { from, to } = sync;
  const relevant = {
    from:
      from.kind === 'run'
        ? { code: hashFile(from.file), key: from.key, fields: from.fields, options: from.options }
        : {
            connection: from.connection,
            type: type(from.connection),
            spec: withoutManner(from.spec, connector(from.connection)?.from),
          },
    to: {
      connection: to.connection,
      type: type(to.connection),
      spec: withoutManner(to.spec, connector(to.connection)?.to),
      key: to.key,
      scope: to.scope,
    },
    where: sync.where,
    fields: sync.fields,
    exclude: [...sync.exclude].sort(),
    steps: sync.steps.map((step) => {
      if (step.kind === 'filter') return { filter: step.expression };
      if (step.kind === 'map') return { map: step.fields };
      if (step.kind === 'lookup') {
        const { connection, spec, key, by, fields, match, missing, several } = step;
        return { lookup: { connection, type: type(connection), spec, key, by, fields, match, missing, several } };
      }
      return { run: hashFile(step.file), reads: step.reads ?? undefined, options: step.options };
    }),
    startAt: sync.startAt,
    deletes: sync.deletes,
  };
  return hashOf(relevant);
}

function withoutManner(spec: unknown, schema: ZodType | undefined): unknown {
  if (schema === undefined || typeof spec !== 'object' || spec === null) return spec;
  const made = inputSchema(schema);
  const properties = [made, ...(made.anyOf ?? []), ...(made.oneOf ?? [])].flatMap((each) =>
    Object.entries(each.properties ?? {}),
  );
  const manners = new Set(properties.flatMap(([name, { manner }]) => (manner === true ? [name] : [])));
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !manners.has(name)));
}

export function hashOf(value: unknown): string {
  return createHash('sha256').update(stableText(value)).digest('hex').slice(0, 32);
}

export function hashFile(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** JSON with sorted keys: the same content gives the same text, however it is ordered in the file. */
export function stableText(value: unknown): string {
  if (value instanceof Map) return stableText(Object.fromEntries(value));
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${stableText(member)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
