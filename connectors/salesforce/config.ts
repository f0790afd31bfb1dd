import { callBudget } from '@tidemark/core';
import { z } from 'zod';
import { topicName } from './topic/topic-name.ts';

const secret = (description: string) => z.string().min(1).describe(description).meta({ secret: true });
const clientId = z.string().min(1).describe('Consumer key of the connected app');

/** Tokens travel to this address: only TLS, or a machine that is our own. */
const serverUrl = z
  .url({ protocol: /^https?$/ })
  .refine(isSafeUrl, { message: 'must be https; http only for an emulator on this machine (localhost)' });

const auth = z.discriminatedUnion('flow', [
  z
    .strictObject({
      flow: z.literal('client-credentials'),
      clientId,
      clientSecret: secret('Consumer secret of the connected app'),
    })
    .describe('A connected app with a "run as" user. loginUrl has to be the My Domain address'),
  z
    .strictObject({
      flow: z.literal('password'),
      username: z.string().min(1),
      password: secret('Password'),
      securityToken: secret('Security token, unless the network is trusted by the org').optional(),
      clientId: clientId.optional(),
      clientSecret: secret('Consumer secret of the connected app').optional(),
    })
    .describe('Username and password: by OAuth when a client id is given, else by SOAP login'),
  z
    .strictObject({
      flow: z.literal('jwt'),
      clientId,
      username: z.string().min(1),
      privateKey: secret('Private key of the certificate uploaded to the connected app, PEM').optional(),
      privateKeyFile: z.string().min(1).describe('File that holds the private key').optional(),
      audience: z.string().min(1).describe('The aud claim; default by loginUrl: login or test.salesforce.com').optional(),
    })
    .refine((value) => (value.privateKey === undefined) !== (value.privateKeyFile === undefined), {
      message: 'give either privateKey or privateKeyFile',
    }),
  z.strictObject({
    flow: z.literal('refresh-token'),
    clientId,
    clientSecret: secret('Consumer secret of the connected app').optional(),
    refreshToken: secret('Refresh token'),
  }),
  z
    .strictObject({
      flow: z.literal('sf-cli'),
      username: z.string().regex(/^[^-]/, 'must not begin with a dash').describe('User name or alias known to the sf CLI'),
    })
    .describe("Takes over the sf CLI's login"),
]);

/** Of a connection that stands for many orgs: each lets the app in by itself. */
const orgAuth = z
  .strictObject({
    flow: z.literal('web-server'),
    clientId,
    clientSecret: secret('Consumer secret of the connected app'),
    redirectUrl: serverUrl
      .optional()
      .describe(
        'Where Salesforce sends users back: …/connect/<connection>/callback, as in the connected app. Default: this machine',
      ),
  })
  .describe('Users let the app into their org at /connect/<connection> (OAuth 2.0 web server flow with PKCE)');

export const config = z.strictObject({
  loginUrl: serverUrl.default('https://login.salesforce.com').describe('Where to log in: login, test or My Domain'),
  apiVersion: z
    .string()
    .regex(/^\d{2,3}\.0$/, 'is written like 62.0')
    .default('62.0'),
  auth: auth.describe('How to log in'),
  budget: callBudget.prefault({}).describe("How much of the org's API calls of 24 hours is ours"),
  stream: z
    .enum(['auto', 'pubsub', 'cometd'])
    .default('auto')
    .describe('How live changes come: Pub/Sub API (gRPC) or CometD (HTTPS); auto takes Pub/Sub unless it cannot be reached'),
  pubsubEndpoint: z
    .string()
    .regex(/^(https?:\/\/)?[\w.:[\]-]+:\d+$/, 'is written like api.pubsub.salesforce.com:7443')
    .refine((value) => !value.startsWith('http://') || isSafeUrl(value), {
      message: 'must be TLS; http only for an emulator on this machine (localhost)',
    })
    .describe('Where the Pub/Sub API listens; default api.pubsub.salesforce.com:7443, none for an emulator')
    .optional(),
  channel: z
    .string()
    .regex(/^\/(data|event)\/\w+$/, 'is written like /data/ChangeEvents')
    .default('/data/ChangeEvents')
    .describe('Channel of Change Data Capture that live syncs listen to; its name knows capitals'),
  clientName: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,32}$/, 'takes letters, digits, dots, dashes and underscores')
    .default('tidemark')
    .describe('Names us in the org: change events of our own writes carry it'),
  requestTimeoutSeconds: z.number().positive().default(150).describe('Longest wait for a reply; a query may take 120 s'),
});

export const orgConfig = config.extend({ auth: orgAuth.describe('How users of an org let us in') });

export type Auth = z.infer<typeof config>['auth'] | z.infer<typeof orgAuth>;
export type Config = Omit<z.infer<typeof config>, 'auth'> & { readonly auth: Auth };

export const from = z
  .strictObject({
    object: z.string().min(1).describe('API name, e.g. Contact').optional(),
    query: z
      .string()
      .min(1)
      .describe('SOQL instead of an object; a parameter such as :lastUpdateTimestamp is bound to the checkpoint')
      .optional(),
    topic: topicName.describe('Platform events instead of an object, as they are published: /event/Order_Update__e').optional(),
    replay: z
      .enum(['latest', 'earliest'])
      .describe('Where a topic begins at the first start: with what is published then, or with all that is retained')
      .optional(),
    bulkAbove: z
      .number()
      .int()
      .nonnegative()
      .default(10_000)
      .describe('Full reads of more records than this use Bulk API 2.0')
      .meta({ manner: true }),
    pageRows: z
      .number()
      .int()
      .min(1)
      .max(1_000_000)
      .default(100_000)
      .describe('Records in one result page of Bulk API 2.0')
      .meta({ manner: true }),
  })
  .refine(({ object, query, topic }) => [object, query, topic].filter((each) => each !== undefined).length === 1, {
    message: 'give one of object, query and topic',
  })
  .refine(({ topic, replay }) => replay === undefined || topic !== undefined, {
    message: 'only a topic is replayed: startAt bounds what is read of an object',
    path: ['replay'],
  });
export type From = z.infer<typeof from>;

/** What a lookup step takes. */
export const lookup = z.strictObject({
  object: z.string().min(1).describe('API name of the object in which records are found, e.g. Account'),
});
export type LookupSettings = z.infer<typeof lookup>;

export const to = z.strictObject({
  object: z.string().min(1).describe('API name of the object that is written, e.g. Enrichment__c'),
  key: z
    .string()
    .min(1)
    .describe('Field by which records are found: a unique external id, or Id. Default: what identifies a record in the source')
    .optional(),
  operation: z
    .enum(['upsert', 'update', 'insert'])
    .describe(
      'upsert creates what is not there, by an external id; update only changes what is; insert makes a new record each time. Default: update by Id, else upsert',
    )
    .optional(),
  bulkAbove: z
    .number()
    .int()
    .nonnegative()
    .default(1000)
    .describe('Writes of more records than this in one go use Bulk API 2.0, others sObject Collections')
    .meta({ manner: true }),
  recordsPerCall: z
    .number()
    .int()
    .min(1)
    .max(200)
    .default(200)
    .describe("Records in one sObject Collections call: fewer where the org's triggers reach their limits")
    .meta({ manner: true }),
  compare: z
    .boolean()
    .default(false)
    .describe('Read the current values first and send only what differs: unchanged records keep their LastModifiedDate')
    .meta({ manner: true }),
  assignmentRule: z
    .union([z.enum(['none', 'default']), z.string().regex(/^01Q\w{12}(\w{3})?$/, 'is none, default or the id of a rule (01Q…)')])
    .default('none')
    .describe('Assignment rule of Leads and Cases that runs: none, the active one (by REST only), or one by its id'),
  allowDuplicates: z.boolean().default(false).describe("Save records though a duplicate rule of the org's warns of them"),
  allOrNone: z
    .boolean()
    .default(false)
    .describe('A refused record takes the others of its call (at most recordsPerCall) with it; never uses the Bulk API')
    .meta({ manner: true }),
});
export type To = z.infer<typeof to>;

const { assignmentRule, allowDuplicates, recordsPerCall } = to.shape;

export const side = z.strictObject({
  object: z.string().min(1).describe('API name of the object, e.g. Account'),
  ...{ recordsPerCall, assignmentRule, allowDuplicates },
});
export type SideSettings = z.infer<typeof side>;

export const topicTo = z.strictObject({
  topic: topicName.describe('Platform event that is published, once for each record that comes: /event/Order_Update__e'),
  key: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe('Fields that identify a record: an event that comes again is known by them. Default: those of the source')
    .optional(),
});
export type TopicTo = z.infer<typeof topicTo>;

export const anyTo = z.union([to, topicTo]);
export type AnyTo = z.infer<typeof anyTo>;

export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}

export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}
