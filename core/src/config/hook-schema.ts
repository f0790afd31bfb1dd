import { z } from 'zod';
import { fieldTypes } from '../model/value.ts';
import { connectionRef, duration, notes, oneOrMoreNames } from './schema.ts';

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is not the name of a header');

/** Two are valid at once while a sender is given a new one. */
const secrets = (one: z.ZodString, description: string) => {
  const secret = one.min(16).meta({ secret: true });
  return z
    .union([secret, z.array(secret).min(1).max(5)])
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .meta({ description: `${description}; at least 16 characters. A list while senders change from one to the next` });
};

const auth = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('bearer'),
      token: secrets(z.string().regex(/^[\x21-\x7e]*$/, 'takes visible ASCII characters'), 'Expected as Authorization: Bearer …'),
    })
    .meta({ description: 'A token in a header' }),
  z
    .strictObject({
      type: z.literal('hmac'),
      secret: secrets(z.string(), 'Known to the sender too'),
      signatureHeader: headerName.default('X-Tidemark-Signature').meta({
        description: 'Carries sha256= and the HMAC-SHA256 of "timestamp.body" in hexadecimal, the body as its bytes came',
      }),
      timestampHeader: headerName
        .default('X-Tidemark-Timestamp')
        .meta({ description: 'Carries the time of signing, seconds since 1970' }),
      tolerance: duration('A signature that is older, or newer, than this is refused', { minMs: 1000 }).default(300_000),
    })
    .meta({ description: 'Each request is signed: proves who sent it, that nothing was changed, and that it is recent' }),
]);

const type = z.enum(fieldTypes);

const field = z.union([
  type,
  z.strictObject({
    type,
    required: z.boolean().default(false).meta({ description: 'A record without it, or with null, is refused' }),
    maxLength: z.int().min(1).optional().meta({ description: 'Most characters' }),
  }),
]);

const bytes = z
  .string({ error: () => 'takes a size such as 256KB or 1MB' })
  .transform((text, context) => {
    const [, number, unit] = /^(\d{1,6})\s*(B|KB|MB)$/i.exec(text) ?? [];
    const size = Number(number) * ({ B: 1, KB: 1024, MB: 1024 * 1024 }[unit?.toUpperCase() ?? ''] ?? Number.NaN);
    if (size >= 1 && size <= BODY_BYTES_MAX) return size;
    const hint = 'write it like 256KB or 1MB; 64MB at most';
    context.addIssue({ code: 'custom', message: 'is not a size that a body may have', params: { hint } });
    return z.NEVER;
  })
  .meta({ description: 'Most bytes in one request, e.g. 256KB; 1MB unless told otherwise' });

/** A body is held in memory whole. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** `from` with what others send by HTTP. */
export const hookSourceSchema = z.strictObject({
  hook: z
    .strictObject({
      auth: auth.meta({ description: 'How a sender proves who it is' }),
      path: z
        .string()
        .regex(/^\/[a-z0-9][a-z0-9_-]{0,79}$/, 'takes one part, in small letters: /order-updates')
        .optional()
        .meta({ description: 'Where it is sent to, where others know another path than /hooks/<sync>' }),
      key: oneOrMoreNames('Fields that identify a record'),
      fields: z
        .record(z.string().min(1), field)
        .refine((fields) => Object.keys(fields).length > 0, 'names no field')
        .meta({ description: 'What a record may hold: field: type, or field: { type, required, maxLength }' }),
      extra: z
        .enum(['refuse', 'ignore'])
        .default('refuse')
        .meta({ description: 'What becomes of a record with other fields: refuse tells the sender, ignore leaves them out' }),
      stamp: z
        .string()
        .min(1)
        .optional()
        .meta({ description: 'A datetime field by which an older version of a record never overwrites a newer one' }),
      rateLimit: z
        .strictObject({
          requests: z.int().min(1).meta({ description: 'So many requests' }),
          per: duration('Within any stretch of this length', { minMs: 100 }).default(1000),
        })
        .optional()
        .meta({ description: 'Requests beyond it are answered 429' }),
      bodyMax: bytes.optional(),
    })
    .meta({ description: 'Records that others send to POST /hooks/<sync> of `tidemark start`, or to a path of its own' }),
  connection: connectionRef
    .optional()
    .meta({ description: 'A connection of type queue that keeps what comes in; beside the state store unless told otherwise' }),
  notes,
});
