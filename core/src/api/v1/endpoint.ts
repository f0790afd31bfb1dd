import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Configuration } from '../../control/configuration.ts';
import type { Engine } from '../../control/engine.ts';
import type { Operations } from '../../control/operations.ts';
import type { Log } from '../../model/log.ts';
import { refusal } from './shapes/common.ts';

export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

/** What endpoints work with. */
export interface ApiParts {
  readonly engine: Engine;
  readonly operations: Operations;
  /** The file that the process runs by. */
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly log: Log;
  readonly version: string;
  /** The process is to end: whoever listens is sent away. */
  readonly stop: AbortSignal;
}

/** One path, or what one page needs of it. One file each. */
export type ApiEndpoint = (api: Api, parts: ApiParts) => void;

/** What any endpoint may answer instead. */
export const refusals = { '4xx': refusal, '5xx': refusal } as const;
