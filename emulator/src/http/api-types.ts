import type { FiredFault } from '../faults/types.ts';
import type { Transaction } from '../org/types.ts';
import type { EmulatorContext } from './context.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'HEAD';

/** As it stands in the path, `v62.0`, and as a number to compare with. */
export interface ApiVersion {
  text: string;
  number: number;
}

/** One request to a data resource: over HTTP, or as a subrequest of Composite. */
export interface ApiRequest {
  readonly method: Method;
  readonly version: ApiVersion;
  /** Path segments below `/services/data/vXX.X/`, decoded; `params` holds those that the route names. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
  readonly userId: string;
  /** Resource faults that strike this request. */
  readonly faults: readonly FiredFault[];
  /** Set while a Composite call with `allOrNone` runs: writes go here, and nothing is committed by a subrequest. */
  readonly transaction: Transaction | undefined;
  /** Asks another resource in process, as a subrequest that Composite or Composite Batch carries. */
  readonly call: (subrequest: Subrequest) => Promise<ApiReply>;
}

export interface Subrequest {
  method: Method;
  /** Path and query, encoded: `/services/data/v62.0/query?q=…`. */
  url: string;
  headers: Readonly<Record<string, string>>;
  body: unknown;
  transaction: Transaction | undefined;
  /** What carries it: not every resource can be asked by either. */
  within: 'composite' | 'batch';
}

/** Rows of a rendered file, sent as they lie on disk after the header line. */
export interface FilePage {
  path: string;
  head: Buffer;
  /** Byte range of the rows, `end` exclusive. */
  start: number;
  end: number;
}

export interface ApiReply {
  status: number;
  headers?: Record<string, string>;
  /** Sent as JSON; absent means an empty body. */
  body?: unknown;
  file?: FilePage;
}

export type Handler = (request: ApiRequest, context: EmulatorContext) => ApiReply | Promise<ApiReply>;

export interface Route {
  method: Method;
  /** Below the version, `:name` for a variable segment: `/sobjects/:object/:id`. */
  path: string;
  /** What the request log counts it as. */
  kind: string;
  handler: Handler;
  /** May be a subrequest of Composite, and of Composite Batch unless that is told apart. */
  composite?: true;
  batch?: boolean;
  /** Takes a body that is no JSON: `request.body` is then an `Upload`. */
  uploads?: true;
}
