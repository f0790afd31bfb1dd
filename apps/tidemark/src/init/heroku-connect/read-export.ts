import { z } from 'zod';
import { UsageError } from '../../usage-error.ts';

/** A key that nobody has told us of is kept, so that it can be told: nothing of an export is dropped in silence. */
const mapping = z.looseObject({
  object_name: z.string().regex(/^\w+$/, 'is no name of an object'),
  config: z.looseObject({
    access: z.enum(['read_only', 'read_write']),
    fields: z.record(z.string().regex(/^\w+(\.\w+)*$/, 'is no name of a field'), z.looseObject({})),
    indexes: z.record(z.string(), z.looseObject({ unique: z.boolean().optional() })).default({}),
    upsert_field: z.string().nullish(),
    sf_polling_seconds: z.int().positive().default(600),
    sf_notify_enabled: z.boolean().default(false),
    sf_max_daily_api_calls: z.int().positive().nullish(),
  }),
});

/**
 * What `heroku connect:export` writes.
 * @see Heroku Dev Center, "Heroku Connect API" (step "Import a mapping configuration") and "Mapping Configuration Options"
 */
const exported = z.looseObject({
  version: z.literal(1).optional(),
  connection: z
    .looseObject({
      app_name: z.string().nullish(),
      organization_id: z.string().nullish(),
      schema_name: z.string().min(1).nullish(),
      features: z.record(z.string(), z.unknown()).default({}),
    })
    .default({ features: {} }),
  mappings: z.array(mapping).min(1, 'is empty: nothing was mapped'),
});

export type HerokuExport = z.output<typeof exported>;
export type HerokuMapping = z.output<typeof mapping>;

/** @throws {UsageError} it is no export, with every place that is wrong */
export function readExport(text: string, file: string): HerokuExport {
  const hint = 'heroku connect:export writes such a file';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${(error as Error).message}`, { hint });
  }
  const read = exported.safeParse(json);
  if (!read.success) {
    const places = read.error.issues.map(({ path, message }) => `${path.join('.') || 'the document'}: ${message}`);
    throw new UsageError(`${file} is no export of Heroku Connect:\n    ${places.join('\n    ')}`, { hint });
  }
  const names = read.data.mappings.map(({ object_name }) => object_name.toLowerCase());
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`${file}: ${twice} is mapped twice`, { hint: 'leave one of the two mappings' });
  return read.data;
}
