import { expect, vi } from 'vitest';
import { Example, type Running } from '../command-line.ts';
import { listening } from '../world.ts';
import { openWorld, type Package, type PipeWorld } from './world.ts';

export const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 90_000, interval: 100 });

/** The pipe in its world. */
export interface Pipe extends Pick<PipeWorld, 'org' | 'userId' | 'vendor' | 'accounts' | 'enrichments'> {
  readonly example: Example;
  publish(...ids: string[]): void;
  /** Records that are enriched, by id. */
  written(): unknown[];
  start(): Promise<Running & { readonly url: string }>;
  stop(running: Running): Promise<void>;
  close(): Promise<void>;
}

export async function openPipe(config: string, project: Package): Promise<Pipe> {
  const world = await openWorld(project);
  const { org, enrichments } = world;
  const example = new Example(config, world.env);
  // As the README says: what reads a queue wants it to be there.
  const made = await example.run(['schema', 'apply']);
  expect(made.exitCode === 0 ? '' : made.err + made.out).toBe('');
  return {
    ...world,
    example,
    publish: (...ids) =>
      void org.events.publish('/event/Sync_Request__e', [{ fields: { Record_Ids__c: ids.join(',') } }], org.org.adminUserId),
    written: () => enrichments().map(({ Record_Id__c }) => Record_Id__c),
    async start() {
      const running = example.start(['start', '--port', '0']);
      return { ...running, url: await listening(running, world.stream) };
    },
    async stop(running) {
      running.interrupt();
      expect((await running.ended).exitCode).toBe(0);
    },
    async close() {
      example[Symbol.dispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}
