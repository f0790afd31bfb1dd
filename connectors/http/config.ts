import { fieldTypes, parseDuration } from '@tidemark/core';
import { z } from 'zod';
import { isPathTemplate } from './path-template.ts';

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is not the name of a header');
/** A line break would begin another header. */
const headerValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'holds characters that no header can carry');

/** What is known of a field has to be said last: a schema that is refined forgets it. */
const secret = (description: string, schema = headerValue.min(1)) => schema.describe(description).meta({ secret: true });

const duration = (text: string) =>
  z
    .string()
    .refine((each) => (parseDuration(each) ?? 0) > 0, 'is not a duration: write it like 500ms, 30s or 1m')
    .default(text)
    .transform((each) => parseDuration(each)!);

const auth = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('bearer'),
    token: secret('Sent as Authorization: Bearer …'),
  }),
  z.strictObject({
    type: z.literal('basic'),
    username: z.string().regex(/^[^:]+$/, 'cannot hold a colon'),
    password: secret('Password', z.string()),
  }),
  z.strictObject({
    type: z.literal('header'),
    name: headerName.describe('e.g. X-Api-Key'),
    value: secret('Its value'),
  }),
  z
    .strictObject({
      type: z.literal('hmac'),
      secret: secret('Known to the receiver too; at least 16 characters', z.string().min(16)),
      signatureHeader: headerName
        .default('X-Tidemark-Signature')
        .describe('Carries sha256= and the HMAC-SHA256 of "timestamp.body" in hexadecimal'),
      timestampHeader: headerName.default('X-Tidemark-Timestamp').describe('Carries the time of signing, seconds since 1970'),
    })
    .describe('Signs each request, so that its receiver knows it for ours and for recent'),
]);
export type Auth = z.output<typeof auth>;

/** Set by us, by the connection or by its auth: a header of the user's would contradict them. */
const ownHeaders = ['host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'idempotency-key'];

export const httpConfig = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .refine((url) => !/[?#]/.test(url), 'takes no query: it belongs to the path of a sync')
      .refine((url) => !/^https?:\/\/[^/]*@/.test(url), 'takes no user and password: use auth: { type: basic, … }')
      .describe('Where the API begins, e.g. https://api.example.com/v1; paths of syncs are appended'),
    auth: auth.describe('How requests are authenticated').optional(),
    headers: z
      .record(headerName, headerValue)
      .refine(
        (headers) => Object.keys(headers).every((name) => !ownHeaders.includes(name.toLowerCase())),
        `cannot set ${ownHeaders.join(', ')}`,
      )
      .default({})
      .describe('Sent with each request; secrets belong into auth'),
    timeout: duration('30s').describe('Longest wait for an answer, its body included'),
    retries: z
      .number()
      .int()
      .min(0)
      .max(20)
      .default(4)
      .describe('How often a request is sent again, with growing waits, after a lost connection, 408, 425, 429 or 5xx'),
    rateLimit: z
      .strictObject({
        requests: z.number().int().min(1).describe('So many requests'),
        per: duration('1s').describe('Within any stretch of this length'),
      })
      .optional()
      .describe('Most requests of this connection'),
    concurrency: z.number().int().min(1).max(64).default(4).describe('Requests under way at once, for different records'),
    allowPrivate: z
      .boolean()
      .default(false)
      .describe(
        'Also connects to addresses inside your own network (loopback, private, link-local), and without TLS. Off, such an address is refused whatever name leads to it',
      ),
    checkPath: z
      .string()
      .regex(/^\/[^#]*$/, 'begins with / and has no #')
      .optional()
      .describe('What `tidemark check` asks for (GET) and expects 2xx from; without it only that the server answers'),
  })
  .refine(({ url, allowPrivate }) => allowPrivate || url.startsWith('https:'), {
    path: ['url'],
    message: 'must be https; http only with allowPrivate: true, inside your own network',
  });
export type HttpConfig = z.output<typeof httpConfig>;

const pathTemplate = z.string().refine(isPathTemplate, 'begins with /, has no # and no /../, and names fields like /orders/{id}');

export const httpTo = z
  .strictObject({
    path: pathTemplate.describe(
      'Appended to the url; {Field} is a value of the record and {$key} its key, percent-encoded: they never lead elsewhere',
    ),
    method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE']).default('POST').describe('Of each request; DELETE has no body'),
    batch: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe('Records in one request; above 1 the body is an array of them')
      .meta({ manner: true }),
    body: z
      .enum(['row', 'change'])
      .default('row')
      .describe('`row` sends the fields alone, `change` sends { op, key, row } with op upsert or delete, as webhooks like it'),
    deleteBy: z
      .enum(['request', 'tombstone'])
      .optional()
      .describe(
        'How a deleted record is told with deletes: mirror. `request` sends DELETE; `tombstone` sends its key with "_tidemark_deleted": true by method. By default request where its path names the record and there is no batch; deletes: mark always sends tombstones',
      ),
    deletePath: pathTemplate.optional().describe('Path of the DELETE request, where it is another than path'),
  })
  .refine(({ path, batch }) => batch === 1 || !path.includes('{'), {
    path: ['path'],
    message: 'cannot name fields of a record when batch sends several of them in one request',
  })
  .refine(({ method, batch }) => batch === 1 || method !== 'DELETE', {
    path: ['method'],
    message: 'DELETE has no body: it cannot be batched',
  });
export type HttpTo = z.output<typeof httpTo>;

export const httpLookup = z.strictObject({
  path: pathTemplate
    .refine((path) => [...path.matchAll(/\{(.*?)\}/g)].every(([, name]) => name === 'value'), 'can name {value} only')
    .describe('Appended to the url. With {value} in it each value is asked for by itself, and 404 means that there is none'),
  method: z
    .enum(['GET', 'POST'])
    .default('GET')
    .describe('GET names the values in the query, ?parameter=a&parameter=b; POST sends them as {"parameter":["a","b"]}'),
  parameter: z.string().min(1).optional().describe('Under which name the values are sent; key unless told'),
  records: z
    .string()
    .min(1)
    .optional()
    .describe('Where in the answer the records are, e.g. data.items; unless told it is the answer itself'),
  types: z
    .record(z.string().min(1), z.enum(fieldTypes))
    .default({})
    .describe('Types of fields that are taken, e.g. { employees: integer }; others are text'),
});
export type HttpLookup = z.output<typeof httpLookup>;
