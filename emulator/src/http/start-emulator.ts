import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Access, createAccess } from '../access/access.ts';
import type { Permissions } from '../access/hidden.ts';
import { loadPermissionSets } from '../access/load-permission-sets.ts';
import { createUsers, type NewUser, type UserCredentials, type Users } from '../access/users.ts';
import { addAuthSurface } from '../auth/auth-surface.ts';
import { createAuthorizationCodes } from '../auth/authorization-codes.ts';
import { type CredentialOptions, createIdentity } from '../auth/identity.ts';
import { createSessions, type Sessions } from '../auth/sessions.ts';
import { createAutomation, type OrgAutomation } from '../automation/automation.ts';
import { takeOverSource } from '../automation/take-over-source.ts';
import { createIngestJobs, type IngestJobs, type IngestOptions } from '../bulk/ingest-jobs.ts';
import { createQueryJobs } from '../bulk/query-jobs.ts';
import { addCometdSurface } from '../cometd/cometd-surface.ts';
import { type CometdOptions, createStreaming, type Streaming } from '../cometd/streaming.ts';
import { fillDemoOrg, fillTable } from '../demo/demo.ts';
import { capturedObjects } from '../events/captured-objects.ts';
import { createEventBus } from '../events/event-bus.ts';
import { objectOfChangeEvent } from '../events/event-names.ts';
import type { EventBus, PlatformEventDefinition } from '../events/types.ts';
import { faultError } from '../faults/fault-error.ts';
import { createFaultList, type FaultList } from '../faults/fault-list.ts';
import { createOrgLimits, type LimitSizes, type OrgLimits } from '../limits/org-limits.ts';
import { createClock } from '../org/clock.ts';
import { createOrg } from '../org/org.ts';
import type { Org, OrgClock } from '../org/types.ts';
import { createManagedSubscriptions, type ManagedSubscriptions } from '../pubsub/managed-subscriptions.ts';
import { type PubSub, type PubSubOptions, startPubSub } from '../pubsub/start-pubsub.ts';
import { createSchema } from '../schema/schema.ts';
import { type LoadedSource, loadSourceFolder } from '../schema/source/load-source-folder.ts';
import { describeNote } from '../schema/source/problems.ts';
import { addBackdoor } from './backdoor/backdoor.ts';
import type { EmulatorContext } from './context.ts';
import { inProcessFetch } from './in-process-fetch.ts';
import { textReply } from './outgoing.ts';
import { createQueryLocators } from './query-locators.ts';
import { bodyBytesMax } from './request-body.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import { addRestSurface } from './rest-surface.ts';
import { createToolingIds } from './tooling/ids.ts';

export interface EmulatorOptions {
  /** Loopback unless told otherwise. */
  host?: string;
  /** 0 takes a free one. */
  port?: number;
  /** False: no socket at all, only `fetch` in process; the URLs then name a host that does not exist. */
  listen?: boolean;
  /** How clients reach it, when that is not `http://host:port`. */
  publicUrl?: string;
  /** Demo records to fill the org with; 0 leaves it empty. */
  records?: number;
  /** Demo records of single objects beside those: `{ Contact: 1_000_000 }`. */
  fill?: Readonly<Record<string, number>>;
  /** Ids and demo data follow from it. */
  seed?: number;
  /** An sfdx source folder whose objects, events, permission sets, profiles, rules and flows the org gets. */
  source?: string;
  /** Objects whose changes are told on `/data/ChangeEvents` and their own channels. */
  changeEvents?: readonly string[];
  platformEvents?: readonly PlatformEventDefinition[];
  /** Sets up what the org does by itself, before anybody uses it. */
  automation?: (automation: OrgAutomation) => void;
  /** The Pub/Sub API, on two ports of its own whenever the emulator listens; `false`: not at all. */
  pubsub?: false | PubSubOptions;
  /** How long the Streaming API (CometD) waits. */
  cometd?: CometdOptions;
  clock?: OrgClock;
  /** An SQLite file that keeps the org; in memory when absent. */
  path?: string;
  credentials?: CredentialOptions;
  /** Further users who can sign in from the start. */
  users?: readonly NewUser[];
  /** What the org may use: `{ DailyApiRequests: 1000 }`. */
  limits?: LimitSizes;
  /** Rows of a Bulk result page when the client names no `maxRecords`. */
  bulkPageRows?: number;
  /** How Bulk ingest jobs are worked on. */
  ingest?: Pick<IngestOptions, 'bytesMax' | 'pace' | 'delayMs'>;
}

/** What a client needs to sign in. All but the last are what the command line prints. */
export interface EmulatorCredentials {
  instanceUrl: string;
  loginUrl: string;
  organizationId: string;
  accessToken: string;
  clientId: string;
  clientSecret: string;
  username: string;
  password: string;
  securityToken: string;
  backdoorUrl: string;
  /** `127.0.0.1:53212`, without and with TLS; absent when the Pub/Sub API is off. */
  pubsubEndpoint: string | undefined;
  pubsubTlsEndpoint: string | undefined;
  /** Of the newest version that clients are known to use; others are beside it. */
  cometdUrl: string;
  refreshToken: string;
}

export interface Emulator {
  readonly org: Org;
  /** What the org does by itself: validation rules, triggers, flows, formulas, roll-ups. */
  readonly automation: OrgAutomation;
  readonly faults: FaultList;
  /** Change events and platform events: topics, what they carry, publishing. */
  readonly events: EventBus;
  readonly managedSubscriptions: ManagedSubscriptions;
  /** The Pub/Sub API's endpoints and certificate. */
  readonly pubsub: PubSub | undefined;
  /** Who is connected over CometD. */
  readonly streaming: Pick<Streaming, 'clients' | 'forgetClients'>;
  readonly requests: RequestLog;
  /** What is used and what is allowed of API requests, deliveries, clients. */
  readonly limits: OrgLimits;
  readonly sessions: Sessions;
  /** The Bulk ingest jobs, how they are worked on, and a hand on them. */
  readonly ingest: IngestJobs;
  /** What the API user cannot see: the quick way to take something away. */
  readonly permissions: Permissions;
  /** Further users, each with permissions of their own. */
  readonly users: Users;
  /** What the users of the options sign in with, in their order. */
  readonly userCredentials: readonly UserCredentials[];
  /** What of `source` was left out or behaves differently from a real org, one line each. */
  readonly sourceNotes: readonly string[];
  readonly url: string;
  readonly credentials: EmulatorCredentials;
  /** Asks this emulator without a socket, whatever host the URL names. */
  readonly fetch: typeof globalThis.fetch;
  /** Ends connections, stops Bulk jobs, removes their files, closes the org. */
  close(): Promise<void>;
}

/** Long enough for any URL that is to be refused with 414, and headers beside it. */
const headerBytesMax = 256 * 1024;
const noHost = 'http://org.invalid';
const bulkPageRowsDefault = 100_000;

/** A Salesforce org that listens. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { org, source } = openOrg(options);
  const sourceNotes = source?.notes.map(describeNote) ?? [];
  const access = createAccess(org);
  if (options.source !== undefined) {
    const { sets, notes } = loadPermissionSets(org.schema, options.source);
    for (const [name, set] of sets) access.define(name, set);
    sourceNotes.push(...notes.map(describeNote));
  }
  const faults = createFaultList();
  const limits = createOrgLimits(org.clock, options.limits, { changeEventObjects: () => capturedObjects(bus).size });
  const bus: EventBus = openBus(org, { access, faults, publishes: limits.HourlyPublishedPlatformEvents }, source, options);
  const automation = createAutomation(org);
  if (source) sourceNotes.push(...takeOverSource(org, automation, source).map(describeNote));
  options.automation?.(automation);
  const identity = createIdentity(org, options.credentials ?? {});
  const sessions = createSessions(org);
  const context: EmulatorContext = {
    org,
    automation,
    access,
    users: createUsers(org, access, identity, sessions),
    identity,
    sessions,
    codes: createAuthorizationCodes(org.clock),
    faults,
    bus,
    streaming: createStreaming({ org, access, bus, faults, sessions, limits }, options.cometd),
    limits,
    requests: createRequestLog(),
    locators: createQueryLocators(org),
    jobs: createQueryJobs(org, options.bulkPageRows ?? bulkPageRowsDefault, access.orgAs),
    ingest: createIngestJobs(org, { ...options.ingest, orgAs: access.orgAs, batches: limits.DailyBulkApiBatches }),
    managedSubscriptions: createManagedSubscriptions(org.id.slice(3, 5)),
    toolingIds: createToolingIds(org.id.slice(3, 5)),
    transactions: new Map(),
    backdoorSecret: randomBytes(24).toString('base64url'),
    instanceUrl: '',
    pubsub: undefined,
  };
  // Only clients meet faults: what the server does by itself, and what a test writes, has no origin.
  org.contend(({ object, id, origin }) => {
    if (origin === '') return false;
    const fired = context.faults.fire('row', 'LOCK', `/sobjects/${object}/${id}`);
    const error = fired.find(({ kind }) => kind === 'row-error');
    return error ? faultError(error, 400) : fired.length > 0;
  });
  const app = createApp(context);
  const close = async () => {
    await context.pubsub?.close();
    context.streaming.close();
    await app.close();
    await context.jobs.close();
    await context.ingest.close();
    org.close();
  };
  const userCredentials: UserCredentials[] = [];
  try {
    for (const user of options.users ?? []) userCredentials.push(context.users.add(user));
    if (options.listen === false) await app.ready();
    else {
      const host = options.host ?? '127.0.0.1';
      await app.listen({ host, port: options.port ?? 0 });
      const parts = { ...context, managed: context.managedSubscriptions, deliveries: limits.DailyDeliveredPlatformEvents };
      if (options.pubsub !== false) context.pubsub = await startPubSub(parts, host, options.pubsub);
    }
  } catch (error) {
    await close();
    throw error;
  }
  context.instanceUrl = options.publicUrl?.replace(/\/+$/, '') ?? (options.listen === false ? noHost : urlOf(app));
  const credentials = credentialsOf(context);
  return {
    org,
    automation,
    permissions: access.permissions,
    users: context.users,
    userCredentials,
    sourceNotes,
    faults: context.faults,
    events: bus,
    managedSubscriptions: context.managedSubscriptions,
    pubsub: context.pubsub,
    streaming: context.streaming,
    requests: context.requests,
    limits,
    sessions: context.sessions,
    ingest: context.ingest,
    url: context.instanceUrl,
    credentials,
    fetch: inProcessFetch(app),
    close,
  };
}

function openOrg(options: EmulatorOptions): { org: Org; source: LoadedSource | undefined } {
  const clock = options.clock ?? createClock();
  const schema = createSchema({ now: () => clock.now() });
  const source = options.source === undefined ? undefined : loadSourceFolder(schema, options.source);
  const seed = options.seed ?? 1;
  const org = createOrg({ schema, clock, seed, ...(options.path === undefined ? {} : { path: options.path }) });
  const records = options.records ?? 0;
  if (records > 0) fillDemoOrg(org, { seed, records });
  for (const [object, count] of Object.entries(options.fill ?? {})) fillTable(org, object, count, seed);
  return { org, source };
}

/** What is selected and defined in the source folder, and what the options add. */
function openBus(
  org: Org,
  { access, faults, publishes }: { access: Access; faults: FaultList; publishes: OrgLimits['HourlyPublishedPlatformEvents'] },
  source: LoadedSource | undefined,
  options: EmulatorOptions,
): EventBus {
  const bus = createEventBus(org, {
    faults,
    publishes,
    access: {
      canSeeField: access.canSeeField,
      canReadAll: access.canReadAll,
      canRead: (userId, object) => access.schemaOf(userId).object(object) !== undefined,
      canCreate: (userId, object) => access.schemaOf(userId).object(object)?.createable === true,
    },
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  });
  const selected = source?.selectedChangeEvents.map((name) => objectOfChangeEvent(name) ?? name) ?? [];
  bus.selectForChangeEvents([...selected, ...(options.changeEvents ?? [])]);
  for (const event of source?.platformEvents ?? []) bus.definePlatformEvent({ ...event, fields: [] });
  for (const channel of source?.channels ?? []) bus.defineChannel(channel);
  for (const event of options.platformEvents ?? []) bus.definePlatformEvent(event);
  return bus;
}

function createApp(context: EmulatorContext): FastifyInstance {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    // `sf` keeps an instance URL with a slash at its end and puts the path behind it (assumed: a real org serves it).
    rewriteUrl: ({ url = '/' }) => url.replace(/^\/{2,}/, '/'),
    // Held and slow replies would keep `close` waiting.
    forceCloseConnections: true,
    http: { maxHeaderSize: headerBytesMax },
    routerOptions: { maxParamLength: headerBytesMax },
  });
  // Bodies come as bytes: each surface has its own idea of them, and of errors in them.
  app.removeAllContentTypeParsers();
  // An upload may be larger than what is good to hold.
  app.addContentTypeParser('text/csv', (_request, payload, done) => done(null, payload));
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  addAuthSurface(app, context);
  addRestSurface(app, context);
  addCometdSurface(app, context);
  addBackdoor(app, context);
  app.setNotFoundHandler((_request, reply) => {
    const { status, headers, body } = textReply(404, 'text/html;charset=UTF-8', '<h1>URL No Longer Exists</h1>');
    return reply.code(status).headers(headers).send(body);
  });
  return app;
}

function urlOf(app: FastifyInstance): string {
  const { address, family, port } = app.server.address() as AddressInfo;
  const anywhere = address === '0.0.0.0' || address === '::';
  const host = anywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}`;
}

function credentialsOf(context: EmulatorContext): EmulatorCredentials {
  const { org, identity, sessions, instanceUrl, backdoorSecret, pubsub } = context;
  return {
    instanceUrl,
    loginUrl: instanceUrl,
    organizationId: org.id,
    accessToken: sessions.start(identity.userId).token,
    clientId: identity.clientId,
    clientSecret: identity.clientSecret,
    username: identity.username,
    password: identity.password,
    securityToken: identity.securityToken,
    backdoorUrl: `${instanceUrl}/__backdoor/${backdoorSecret}`,
    pubsubEndpoint: pubsub?.endpoint,
    pubsubTlsEndpoint: pubsub?.tlsEndpoint,
    cometdUrl: `${instanceUrl}/cometd/62.0`,
    refreshToken: sessions.grantRefreshToken(identity.userId),
  };
}
