import type { Writable } from 'node:stream';
import type { Connector } from '@tidemark/core';
import { type ConsoleConfig, type ConsoleTo, consoleConfig, consoleTo } from './config.ts';
import { Lines } from './lines.ts';
import { ConsoleTarget } from './target.ts';

export type ConsoleConnector = Connector<ConsoleConfig, never, ConsoleTo>;

/** Tests give streams of their own. */
export function createConsoleConnector(streams: { stdout: Writable; stderr: Writable } = process): ConsoleConnector {
  return {
    name: 'console',
    summary: 'Prints each change as one line of JSON',
    config: consoleConfig,
    to: consoleTo,
    open: () => ({
      check: async () => [],
      openTarget: async (spec) => new ConsoleTarget(new Lines(streams[spec.to.stream]), spec),
      async [Symbol.asyncDispose]() {},
    }),
  };
}

export default createConsoleConnector();
