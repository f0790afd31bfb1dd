import type { Connection, Connector, ConnectorContext, LookupSpec, SideSpec } from '@tidemark/core';
import { SyncError } from '@tidemark/core';
import { readAllowances, requestsOf } from './allowances.ts';
import { uncounted } from './api-budget.ts';
import { createAuthenticator } from './auth.ts';
import { createClient } from './client.ts';
import {
  type AnyTo,
  anyTo,
  type Config,
  config,
  type From,
  from,
  type LookupSettings,
  lookup,
  type SideSettings,
  side,
} from './config.ts';
import { createDescribes } from './describe.ts';
import { describeObject } from './describe-object.ts';
import { registerSecretsOf, runSfCli } from './login-flows.ts';
import { openLookup } from './lookup.ts';
import { createOrgTime } from './org-clock.ts';
import { orgs } from './org-sign-in.ts';
import { openSide } from './side/side.ts';
import { openSource } from './source.ts';
import { streamProblems } from './stream/check-stream.ts';
import { openKeptEvents } from './stream/kept-events.ts';
import { type OpenTransport, openStream } from './stream/open-stream.ts';
import { selectObjects } from './stream/selection.ts';
import { selectionFiles } from './stream/selection-files.ts';
import { openTopicSource } from './topic/topic-source.ts';
import { openTopicTarget } from './topic/topic-target.ts';
import { openTarget } from './write/target.ts';

/** Ports that a simulation binds in process, beside the context's. */
export interface SalesforcePorts {
  readonly openTransport?: OpenTransport;
}

export function createConnector(ports: SalesforcePorts = {}): Connector<Config, From, AnyTo> {
  return {
    name: 'salesforce',
    summary: 'Salesforce orgs: objects, SOQL queries and platform events as sources, objects and platform events as targets',
    config,
    from,
    to: anyTo,
    side,
    lookup,
    eventChannel: ({ topic }) => topic ?? null,
    orgs,
    open: (settings, context) => openConnection(settings, context, ports),
  };
}
export default createConnector();

function openConnection(settings: Config, context: ConnectorContext, ports: SalesforcePorts): Connection<From, AnyTo> {
  registerSecretsOf(settings.auth);
  const time = createOrgTime(context.clock);
  const login = { config: settings, context, time, refreshToken: undefined, runCli: runSfCli };
  const budget = context.openBudget?.(settings.budget) ?? uncounted();
  const client = createClient({ config: settings, context, authenticator: createAuthenticator(login), time, budget });
  const describes = createDescribes(client, context.clock);
  const memories = new Map();
  const place = `connections.${context.connection}`;
  return {
    async check() {
      try {
        await readAllowances(client);
        return [];
      } catch (error) {
        if (!(error instanceof SyncError)) throw error;
        return [{ place, message: error.message, hint: error.hint, severity: 'error' }];
      }
    },
    async discover() {
      const { body } = await client.request({ method: 'GET', path: '/sobjects/', about: 'listing the objects of the org' });
      const { sobjects } = body as {
        sobjects: { name: string; queryable: boolean; retrieveable: boolean; deprecatedAndHidden: boolean }[];
      };
      return sobjects
        .filter((object) => object.queryable && object.retrieveable && !object.deprecatedAndHidden)
        .map((object) => object.name);
    },
    describeObject: (name, signal) => describeObject(client, name, signal),
    openStream: (spec, signal) => openStream({ config: settings, context, client, describes, ...ports }, spec, signal),
    async checkStream({ channel, datasets }) {
      const topic = channel ?? settings.channel;
      const streamed = { config: settings, context, client, describes, ...ports };
      try {
        const stream = await openStream(streamed, { channel: topic, datasets, position: null }, new AbortController().signal);
        await stream[Symbol.asyncDispose]();
        return await streamProblems(client, place, topic, { datasets });
      } catch (error) {
        if (!(error instanceof SyncError)) throw error;
        return [{ place, message: error.message, hint: error.hint, severity: 'error' }];
      }
    },
    captureDatasets: (datasets, signal) => selectObjects(client, settings.channel, datasets, signal),
    captureFiles: (datasets) => selectionFiles(settings.channel, datasets, settings.apiVersion),
    allowances: (signal) => readAllowances(client, signal),
    knownAllowances: () => requestsOf(budget.usage()),
    openEvents: (spec, schemas, signal) => openKeptEvents(context, spec, schemas, signal),
    openSource: (spec, signal) =>
      spec.from.topic === undefined
        ? openSource({ client, context, describes, memories }, spec, signal)
        : openTopicSource({ client, describes }, spec, signal),
    openLookup: (spec, signal) => openLookup({ client, describes }, spec as LookupSpec<LookupSettings>, signal),
    openSide: (spec, signal) => openSide({ client, context, describes, memories, time }, spec as SideSpec<SideSettings>, signal),
    openTarget: ({ to, ...spec }, signal) =>
      'topic' in to
        ? openTopicTarget({ client, describes }, { ...spec, to }, signal)
        : openTarget({ client, context, describes }, { ...spec, to }, signal),
    async [Symbol.asyncDispose]() {},
  };
}
