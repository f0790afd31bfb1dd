import { Cron } from 'croner';
import { type ZodType, z } from 'zod';
import { priorities } from '../base/caller.ts';
import { logLevels } from '../base/log.ts';
import { fieldTypes } from '../model/value.ts';
import { dataSchema } from './data-access.ts';
import { formatDuration, parseDuration } from './duration.ts';

/** What the file may hold besides what connectors bring. Descriptions here become the editor's help and the reference page. */

const durationHint = 'write it like 10s, 5m, 1h30m or P1D';

export function duration(description: string, limits: { minMs?: number } = {}) {
  return z
    .string({ error: () => 'takes a duration such as 10s, 5m, 1h30m or P1D' })
    .transform((text, context) => {
      const ms = parseDuration(text);
      const minMs = limits.minMs ?? 0;
      if (ms !== null && ms >= minMs) return ms;
      context.addIssue(
        ms === null
          ? { code: 'custom', message: 'is not a duration', params: { hint: durationHint } }
          : { code: 'custom', message: `must be at least ${formatDuration(minMs)}`, params: { hint: durationHint } },
      );
      return z.NEVER;
    })
    .meta({ description });
}

export const notes = z.string().optional().meta({ description: 'Kept and shown in the generated documentation' });

const names = (description: string) => z.array(z.string().min(1)).meta({ description });

export const oneOrMoreNames = (description: string) =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .meta({ description });

const timezone = z
  .string()
  .superRefine((name, context) => {
    try {
      new Intl.DateTimeFormat('en', { timeZone: name });
    } catch {
      const hint = 'use an IANA name, e.g. Europe/Vienna or UTC';
      context.addIssue({ code: 'custom', message: 'is not a time zone', params: { hint } });
    }
  })
  .meta({ description: 'Time zone of `cron`, an IANA name; UTC unless told otherwise' });

const cron = z
  .string()
  .superRefine((pattern, context) => {
    try {
      if (new Cron(pattern, { paused: true, timezone: 'UTC' }).nextRun() !== null) return;
      context.addIssue({ code: 'custom', message: 'never comes true', params: { hint: 'check day and month' } });
    } catch (error) {
      const reason = (error as Error).message.replace(/^\w+: /, '');
      const hint = 'minute hour day month weekday, e.g. "0 3 * * 0" for Sundays at 3';
      context.addIssue({ code: 'custom', message: `is not a cron pattern: ${reason}`, params: { hint } });
    }
  })
  .meta({ description: 'When it runs: minute hour day month weekday' });

const every = duration('Time from the start of one run to the start of the next, e.g. 10s', { minMs: 1000 });

const startAt = z
  .string()
  .transform((text, context) => {
    if (/^[+-]?P/.test(text)) {
      const ms = parseDuration(text);
      if (ms !== null) return { kind: 'ago' as const, agoMs: Math.abs(ms) };
    } else if (/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/.test(text)) {
      const atMs = Date.parse(text);
      if (!Number.isNaN(atMs)) return { kind: 'instant' as const, atMs };
    }
    const hint = 'write -P1D for one day ago, or 2024-05-22 or 2024-05-22T13:00:00Z';
    context.addIssue({ code: 'custom', message: 'is neither a stretch of time nor an instant', params: { hint } });
    return z.NEVER;
  })
  .meta({ description: 'The first run reads nothing older: -P1D for one day, or an instant. Absent: everything' });

const sweepMax = z
  .union([z.number(), z.string()])
  .transform((value, context) => {
    const share =
      typeof value === 'number' ? value : /^\d+(?:\.\d+)?\s*%$/.test(value) ? Number.parseFloat(value) / 100 : Number.NaN;
    if (share >= 0 && share <= 1) return share;
    const hint = 'write 10% or 0.1';
    context.addIssue({ code: 'custom', message: 'is not a share between 0% and 100%', params: { hint } });
    return z.NEVER;
  })
  .meta({ description: 'Share of the target that a sweep may delete without asking; default 10%' });

export const mapping = z
  .record(z.string(), z.string().min(1))
  .meta({ description: "Target field: source field, or '= JSONata expression'" });

const steps = {
  filter: z.string().min(1).meta({ description: 'A JSONata expression: records for which it is true go on' }),
  map: mapping,
  run: z.string().min(1).meta({ description: 'A module with your own function: (rows, context) => rows' }),
};
const stepExtras = { name: z.string().min(1).optional().meta({ description: 'Shown in failures and logs' }), notes };
export const stepKinds = ['filter', 'map', 'run', 'lookup', 'compare'] as const;
export const stepSchemas = {
  filter: z.strictObject({ filter: steps.filter, ...stepExtras }),
  map: z.strictObject({ map: steps.map, ...stepExtras }),
  run: z.strictObject({
    run: steps.run,
    reads: names('Source fields that your function needs, besides the key. Without it, all of them are read').optional(),
    options: z.unknown().optional().meta({ description: 'Given to your function as it is' }),
    ...stepExtras,
  }),
  lookup: z.strictObject({
    lookup: z.record(z.string(), z.unknown()).meta({ description: 'Finds records of another system and takes fields of theirs' }),
    ...stepExtras,
  }),
  compare: z.strictObject({
    compare: z.strictObject({
      against: z.literal('target').meta({ description: 'What records are compared with' }),
    }),
    ...stepExtras,
  }),
};

/** `from` with a module of the user's. */
export const customSourceSchema = z.strictObject({
  run: z.string().min(1).meta({ description: 'A module that exports an async generator of batches' }),
  key: oneOrMoreNames('Fields that identify a record'),
  fields: z
    .record(z.string(), z.enum(fieldTypes))
    .optional()
    .meta({ description: 'Names and types of the fields it yields; absent: its rows tell' }),
  options: z.unknown().optional().meta({ description: 'Given to your generator as it is' }),
  notes,
});

/** What `from` and `to` of a connection hold besides what the connector says. */
export const connectionRef = z.string().min(1).meta({ description: 'Name of a connection' });
export const sourceExtras = { connection: connectionRef, notes };
export const targetExtras = {
  connection: connectionRef,
  key: oneOrMoreNames("Fields that identify a record; the source's own key unless told otherwise").optional(),
  orgColumn: z.string().min(1).optional().meta({
    description: 'With forEach: org, the column that holds the name of the org and is part of the key: all orgs in one table',
  }),
  notes,
};

const block = z.record(z.string(), z.unknown());
const schedule = { every: every.optional(), cron: cron.optional(), timezone: timezone.optional() };

/** A sync but for `from`, `to` and `steps`, which depend on connectors and kinds. */
export const syncSchema = z.strictObject({
  forEach: z.literal('org').optional().meta({
    description:
      'One sync for each org of its connection (orgs: true), named contacts@acme. {org} in its texts is the name of the org',
  }),
  from: block.meta({ description: 'Where records come from' }),
  to: block.meta({ description: 'Where they go' }),
  where: z.string().min(1).optional().meta({ description: "A filter in the source's own language (SOQL, SQL)" }),
  fields: mapping.optional(),
  exclude: names('Source fields to leave out').optional(),
  steps: z.array(block).optional().meta({ description: 'What happens on the way, in order' }),
  ...schedule,
  startDelay: duration('Wait between the start of the process and the first scheduled run').optional(),
  priority: z.enum(priorities).optional().meta({
    description:
      'Whose API calls come first when they are short: live before delta before refresh before full. By what a run does, unless told otherwise',
  }),
  startAt: startAt.optional(),
  full: z.strictObject(schedule).optional().meta({ description: 'When everything is read again and compared: every or cron' }),
  deletes: z.enum(['mirror', 'mark', 'ignore']).default('mirror').meta({
    description:
      'What a delete does in the target: mirror removes the row, mark keeps it and says when it went, ignore leaves it',
  }),
  history: z.boolean().optional().meta({
    description:
      'true keeps every version of a row, with the time for which it held, in a table beside (<table>_history); false ends that and leaves what was kept',
  }),
  onFailure: z
    .enum(['quarantine', 'hold'])
    .default('quarantine')
    .meta({ description: 'quarantine keeps a refused record aside and goes on; hold fails the run until all of it succeeds' }),
  sweepMax: sweepMax.optional(),
  overlap: duration('How far a delta looks back beyond the last one; the source knows a good value').optional(),
  batchSize: z.int().min(1).max(100_000).optional().meta({ description: 'Most records in one write' }),
  retry: z
    .strictObject({
      attempts: z.int().min(1).max(100).optional().meta({ description: 'Tries in all, the first one included; default 8' }),
      delay: duration('First wait; it doubles; default 500ms', { minMs: 1 }).optional(),
      delayMax: duration('Longest wait; default 1m', { minMs: 1 }).optional(),
    })
    .optional()
    .meta({ description: 'How often a piece of work is tried again after a passing error' }),
  warnAfter: duration('A window held open by a failing record is reported after this long; default 1h').optional(),
  watermarkKey: z
    .string()
    .regex(/^[\w.:-]{1,100}$/, 'takes 1 to 100 letters, digits and . _ : -')
    .optional()
    .meta({ description: "Name under which the checkpoint is kept; the sync's name unless told otherwise" }),
  live: z.boolean().optional().meta({
    description: 'Follow the stream of changes, within milliseconds; every: is then a safety net, 10m unless told otherwise',
  }),
  parts: z.int().min(2).max(256).optional().meta({
    description:
      'Read the source in so many parts, which several workers share: each is a sync of its own, named orders.1of4. For queues, and for topics of Kafka, of which there are no more parts than partitions',
  }),
  journal: duration(
    'Keep events of the stream as they came for so long, e.g. 7d, so that `tidemark replay` can apply them again without the org; off unless told',
    { minMs: 60_000 },
  ).optional(),
  notes,
});

export const storeSchema = z.strictObject({
  url: z
    .string()
    .min(1)
    .default('./.tidemark/state.db')
    .meta({ description: 'A SQLite file, or postgres://… for several workers', secret: true }),
  notes,
});

export const logSchema = z.strictObject({
  level: z.enum(logLevels).default('info').meta({ description: 'The least important lines that are shown' }),
});

export const httpSchema = z.strictObject({
  port: z
    .union([z.int().min(0).max(65_535), z.literal('off')], { error: () => 'takes a port, 0 for a free one, or off' })
    .optional()
    .meta({
      description: 'Where `tidemark start` answers hooks, metrics and health; 4600 unless told otherwise, `off` for nowhere',
    }),
  host: z.string().min(1).optional().meta({
    description:
      'The address it listens at; this machine only unless told otherwise. Metrics and health need no login: keep others away otherwise',
  }),
  data: dataSchema.optional(),
});

export const topSchema = z.strictObject({
  connections: block.meta({ description: 'The systems to connect, by name' }),
  syncs: block.meta({ description: 'What is kept in sync, by name' }),
  store: block.optional().meta({ description: 'Where runs, failures and checkpoints are kept' }),
  log: block.optional(),
  notifications: block.optional().meta({ description: 'Who is told when something is wrong, and when it is over, by name' }),
  http: block.optional().meta({ description: 'Hooks, metrics and health of `tidemark start`' }),
  package: block.optional().meta({ description: "What `tidemark package` writes for the org's side, besides what syncs tell" }),
  notes,
});

/** Recognised, so that the answer is "not in this version" and not "unknown". */
export const laterKeys: Readonly<Record<'sync' | 'from' | 'to', Readonly<Record<string, string>>>> = {
  sync: {
    conflicts: 'is for two-way syncs: write between: with two sides instead of from: and to:',
  },
  from: {
    changes: 'change streams are not in this version: use object with every: 10s',
  },
  to: {},
};

export type SyncInput = z.output<typeof syncSchema>;
export type { ZodType };
