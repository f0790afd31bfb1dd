import {
  AccessDeniedError,
  type Connector,
  type ConnectorContext,
  type LookupSpec,
  type Problem,
  RateLimitedError,
  SyncError,
} from '@tidemark/core';
import { HttpClient, RedirectedError, ServerFaultError } from './client.ts';
import { type HttpConfig, type HttpLookup, type HttpTo, httpConfig, httpLookup, httpTo } from './config.ts';
import { HttpFinder } from './lookup.ts';
import { reasonOf } from './reply.ts';
import { HttpTarget } from './target.ts';

/** `check` is asked by somebody who waits. */
const CHECK_TIMEOUT_MS = 5000;

const connector: Connector<HttpConfig, never, HttpTo> = {
  name: 'http',
  summary: 'Sends each change to an HTTP API or webhook, and looks records up in one',
  config: httpConfig,
  to: httpTo,
  lookup: httpLookup,
  open(config, context) {
    // Together, so that the rate limit holds for all syncs of the connection.
    const client = new HttpClient(config, context);
    return {
      check: () => check(config, context),
      openTarget: async (spec) => new HttpTarget(client, spec),
      openLookup: async (spec) => new HttpFinder(client, spec as LookupSpec<HttpLookup>),
      async [Symbol.asyncDispose]() {},
    };
  },
};
export default connector;

async function check(config: HttpConfig, context: ConnectorContext): Promise<readonly Problem[]> {
  const { checkPath } = config;
  const client = new HttpClient({ ...config, timeout: Math.min(config.timeout, CHECK_TIMEOUT_MS) }, context);
  const problem = (severity: Problem['severity'], message: string, hint: string | undefined): readonly Problem[] => [
    { place: `connections.${context.connection}`, severity, message, hint },
  ];
  try {
    const reply = await client.send({ method: 'GET', path: checkPath ?? '/', retries: 0 }, new AbortController().signal);
    if (checkPath === undefined || reply.status < 300) return [];
    return problem('error', `GET ${checkPath}: ${reasonOf(reply)}`, 'set checkPath to what these credentials may read');
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    if (checkPath !== undefined) return problem('error', error.message, error.hint);
    // An API need not have anything where it begins: that it answers is all that can be told.
    const answered = error instanceof RedirectedError || error instanceof RateLimitedError || error instanceof ServerFaultError;
    if (answered) return [];
    if (error instanceof AccessDeniedError)
      return problem('warning', error.message, 'set checkPath to tell whether auth is right');
    return problem('error', error.message, error.hint);
  }
}
