import type { InboxSpec } from '../model/inbox.ts';
import type { AnyConnector, ConnectionConfig, HookConfig, StoreConfig, SyncConfig, SyncSource } from './config.ts';
import { hookSourceSchema } from './hook-schema.ts';
import type { Path } from './located-yaml.ts';
import { guardSecrets } from './read-connections.ts';
import { findConnection, type SyncContext } from './read-sync.ts';
import type { Report } from './report.ts';

/** The connection that keeps what hooks take in, where the user names none. No user's connection can be called that. */
export const HOOKS = '(hooks)';

/** How often what came in is brought on, at most; when something comes, it is brought at once. For queues that are followed as well. */
export const HOOK_MS = 250;

const BODY_BYTES = 1024 * 1024;

/** A request that was signed is known for longer than it is valid, so that it is never taken for a new one. */
const TOLERANCE_MS_MAX = 24 * 3_600_000;

/** What answers there is ours. */
const TAKEN = new Set(['/api', '/assets', '/connect', '/healthz', '/hooks', '/metrics', '/readyz']);

/** Values that two records may share by their spelling only, or that have no text of their own. */
const noKeys = ['json', 'bytes', 'double'];

/** `from: { hook: … }`, checked; null when something about it is wrong, and then it is in the report. */
export function readHook(sync: string, block: Record<string, unknown>, path: Path, context: SyncContext): SyncSource | null {
  const { report } = context;
  guardSecrets(hookSourceSchema, block, path, report, context.file);
  const parsed = report.parse(hookSourceSchema, block, path)?.data;
  if (parsed === undefined) return null;
  const kept = keptBy(parsed.connection, path, context);
  const { hook } = parsed;
  const fields = Object.entries(hook.fields).map(([name, field]) =>
    typeof field === 'string'
      ? { name, type: field, required: false, maxLength: null }
      : { ...field, name, maxLength: field.maxLength ?? null },
  );
  const named = new Map(fields.map((field) => [field.name, field]));
  let ok = kept !== null;
  const wrong = (at: Path, message: string, hint?: string) => {
    report.error([...path, 'hook', ...at], message, hint);
    ok = false;
  };
  for (const name of hook.key) {
    const field = named.get(name);
    if (field === undefined) wrong(['key'], `${name} is not among the fields`, `add ${name} to fields: with its type`);
    else if (noKeys.includes(field.type))
      wrong(['key'], `${name} is of type ${field.type}, which identifies nothing`, 'take a text, a number or a date');
  }
  if (hook.stamp !== undefined && named.get(hook.stamp)?.type !== 'datetime') {
    wrong(['stamp'], `${hook.stamp} is no field of type datetime`, `add it to fields: as ${hook.stamp}: datetime`);
  }
  if (hook.auth.type === 'hmac' && hook.auth.tolerance > TOLERANCE_MS_MAX) {
    wrong(['auth', 'tolerance'], 'is longer than a day', 'minutes are enough: it bounds how long somebody may replay a request');
  }
  if (hook.path !== undefined && TAKEN.has(hook.path)) {
    wrong(['path'], `${hook.path} is a path of Tidemark's own`, 'take another one, or leave it out for /hooks/<sync>');
  }
  if (hook.path !== undefined && context.org !== undefined) {
    wrong(['path'], 'would be the same for every org', 'leave it out: /hooks/<sync> tells them apart');
  }
  if (!ok) return null;
  const required = new Set([...hook.key, ...(hook.stamp === undefined ? [] : [hook.stamp])]);
  const config: HookConfig = {
    auth:
      hook.auth.type === 'bearer'
        ? { kind: 'bearer', tokens: hook.auth.token }
        : {
            kind: 'hmac',
            secrets: hook.auth.secret,
            signatureHeader: hook.auth.signatureHeader.toLowerCase(),
            timestampHeader: hook.auth.timestampHeader.toLowerCase(),
            toleranceMs: hook.auth.tolerance,
          },
    path: hook.path ?? `/hooks/${sync}`,
    key: hook.key,
    fields: fields.map((field) => ({ ...field, required: field.required || required.has(field.name) })),
    extra: hook.extra,
    stamp: hook.stamp ?? null,
    rateLimit: hook.rateLimit === undefined ? null : { requests: hook.rateLimit.requests, perMs: hook.rateLimit.per },
    bodyBytesMax: hook.bodyMax ?? BODY_BYTES,
  };
  const { connection, inbox } = kept!;
  const spec = inbox.from(inboxOf(sync, config));
  return { kind: 'connection', connection, spec, hook: config, notes: parsed.notes ?? null };
}

/** The inbox of a sync that is fed by a hook. */
export function inboxOf(sync: string, { key, fields }: HookConfig): InboxSpec {
  const schemaFields = fields.map(({ name, type, required, maxLength }) => ({
    name,
    type,
    nullable: !required,
    ...(maxLength !== null && type === 'text' && { length: maxLength }),
  }));
  return { name: `hook:${sync}`, schema: { name: `hook:${sync}`, key, fields: schemaFields } };
}

function keptBy(connection: string | undefined, path: Path, context: SyncContext) {
  const name = connection ?? HOOKS;
  const found =
    connection === undefined ? context.connections.get(HOOKS) : findConnection(name, [...path, 'connection'], context);
  if (found === null) return null;
  if (found === undefined) {
    const hint = 'name a connection of type queue beside hook:, or keep the store in a file';
    context.report.error([...path, 'hook'], 'has no place to keep what comes in: the state store is in memory', hint);
    return null;
  }
  const { inbox, name: type } = found.connector;
  if (inbox === undefined) {
    context.report.error([...path, 'connection'], `is of type ${type}, which cannot keep what comes in`, 'use one of type queue');
    return null;
  }
  return { connection: name, inbox };
}

/** Where hooks keep what they take in unless told otherwise. */
export function connectionForHooks(store: StoreConfig, connectors: readonly AnyConnector[]): ConnectionConfig | null {
  const connector = connectors.find(({ inbox }) => inbox !== undefined);
  const config = connector?.inbox?.beside(store) ?? null;
  return config === null ? null : { name: HOOKS, connector: connector!, config, notes: null };
}

/** Each path leads to one hook. */
export function checkHookPaths(syncs: ReadonlyMap<string, SyncConfig>, report: Report): void {
  const known = new Map<string, string>();
  for (const { name, from } of syncs.values()) {
    if (from.kind !== 'connection' || from.hook === undefined) continue;
    const { path } = from.hook;
    const other = known.get(path);
    if (other === undefined) known.set(path, name);
    else
      report.error(
        ['syncs', name, 'from', 'hook', 'path'],
        `${path} leads to ${other} already`,
        'give each hook a path of its own',
      );
  }
}
