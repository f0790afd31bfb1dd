import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceOrSkip } from '@tidemark/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, openPipe, type Pipe } from './fixture.ts';
import { type Package, writePackage } from './world.ts';

// The same pipe with its queues in Redis and in Kafka: one line is another, and nothing else.                    (P1, 001-4)

const [redis, kafka] = [await serviceOrSkip('redis'), await serviceOrSkip('kafka')];
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let project: Package;
beforeAll(async () => {
  project = await writePackage();
});
afterAll(() => project[Symbol.dispose]());

/** The example, with one line changed. */
function changed(folder: string, url: string): string {
  const lines = readFileSync(here('tidemark.yaml'), 'utf8').split('\n');
  const at = lines.findIndex((line) => line.startsWith('    path:'));
  const config = join(folder, 'tidemark.yaml');
  const prefix = `sync-pipe-${randomUUID()}`;
  // Tests share a server; the second line keeps them apart, and is no part of the change.
  writeFileSync(config, lines.toSpliced(at, 1, `    url: ${url}`, `    prefix: ${prefix}`).join('\n'));
  copyFileSync(here('record-ids.ts'), join(folder, 'record-ids.ts'));
  return config;
}

describe.each([
  { place: 'Redis', missing: redis.missing, url: redis.url ?? '' },
  { place: 'Kafka', missing: kafka.missing, url: `kafka://${kafka.url}` },
])('$place', ({ missing, url }) => {
  test.skipIf(missing !== null)(
    'what was asked for arrives, and what lay in the queues when it ended as well (001-4, 001-7)',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'tidemark-pipe-place-'));
      const pipe: Pipe = await openPipe(changed(folder, url), project);
      try {
        const ids = pipe.accounts(4);
        let running = await pipe.start();
        pipe.publish(ids[0]!);
        await eventually(() => expect(pipe.written()).toEqual([ids[0]]));
        // Requests wait in the queue while the vendor is away, and while nothing runs.
        pipe.vendor.down = true;
        pipe.publish(ids[1]!, ids[2]!);
        await pipe.stop(running);
        pipe.publish(ids[3]!);
        pipe.vendor.down = false;
        running = await pipe.start();
        await eventually(() => expect(pipe.written()).toEqual(ids));
        await pipe.stop(running);
      } finally {
        await pipe.close();
        rmSync(folder, { recursive: true });
      }
    },
  );
});
