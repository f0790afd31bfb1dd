import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFaultList } from './fault-list.ts';
import type { FaultMatch } from './types.ts';

// A fault strikes exactly the requests that its conditions name: a test that injects one can say how often it was met.

const fires = (match: FaultMatch, requests: readonly [string, string][]) => {
  const faults = createFaultList();
  const id = faults.add({ kind: 'unavailable', match });
  const struck = requests.map(([method, url]) => faults.fire('wire', method, url).length === 1);
  expect(faults.status(id)?.fired).toBe(struck.filter(Boolean).length);
  return struck;
};

const same = (count: number): [string, string][] =>
  Array.from({ length: count }, () => ['GET', '/services/data/v62.0/query?q=a']);

test('the nth request, and no other', () => {
  expect(fires({ nth: 3 }, same(5))).toEqual([false, false, true, false, false]);
});

test('after some have passed, a number of times', () => {
  expect(fires({ after: 1, times: 2 }, same(5))).toEqual([false, true, true, false, false]);
});

test('only requests of the method and path, and only those are counted', () => {
  const requests: [string, string][] = [
    ['POST', '/services/data/v62.0/query?q=x'],
    ['GET', '/services/data/v62.0/limits'],
    ['GET', '/services/data/v62.0/query?q=x'],
  ];
  expect(fires({ method: 'get', path: '/services/data/v62.0/query', nth: 1 }, requests)).toEqual([false, false, true]);
});

test('a pattern sees the decoded query, and matches again and again', () => {
  const url = '/services/data/v62.0/query?q=SELECT+Id%20FROM+Contact';
  expect(
    fires({ path: /from contact/gi }, [
      ['GET', url],
      ['GET', url],
      ['GET', '/x'],
    ]),
  ).toEqual([true, true, false]);
  expect(fires({ pattern: 'FROM Contact$' }, [['GET', url]])).toEqual([true]);
});

test('a share of the requests is the same for the same seed', () =>
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, probability) => {
      const run = () => fires({ probability, seed }, same(50));
      expect(run()).toEqual(run());
    }),
  ));

test('a share strikes about that share', () => {
  const struck = fires({ probability: 0.25, seed: 7 }, same(2000)).filter(Boolean).length;
  expect(struck).toBeGreaterThan(400);
  expect(struck).toBeLessThan(600);
});

test('a fault of another level stays out, and so does one that cannot apply', () => {
  const faults = createFaultList();
  const id = faults.add({ kind: 'expired-locator' });
  expect(faults.fire('wire', 'GET', '/services/data/v62.0/query/01gXX-2000')).toEqual([]);
  expect(faults.fire('resource', 'GET', '/services/data/v62.0/query?q=x')).toEqual([]);
  expect(faults.status(id)).toMatchObject({ matched: 0, fired: 0 });
  expect(faults.fire('resource', 'GET', '/services/data/v62.0/query/01gXX-2000')).toHaveLength(1);
});

test('misspelt faults are refused: they would prove nothing', () => {
  const faults = createFaultList();
  expect(() => faults.add({ kind: 'unavailible' as 'unavailable' })).toThrow(/unknown fault kind 'unavailible'; there are/);
  expect(() => faults.add({ kind: 'drop', match: { paht: '/x' } as FaultMatch })).toThrow(/unknown condition 'paht'/);
  expect(() => faults.add({ kind: 'drop', match: { nth: '3' as unknown as number } })).toThrow(/must be a number/);
  expect(() => faults.add({ kind: 'drop', params: { bytes: 3 } })).toThrow(/takes no parameter 'bytes'; it takes afterBytes/);
});

test('faults of gRPC meet an rpc and a topic', () => {
  const faults = createFaultList();
  const id = faults.add({ kind: 'stream-drop', match: { rpc: 'Subscribe', topic: '/event/A__e', nth: 2 } });
  const struck = (rpc: string, topic: string) => faults.fire('stream', rpc, topic).length;
  expect([struck('ManagedSubscribe', '/event/A__e'), struck('Subscribe', '/event/A__e2')]).toEqual([0, 0]);
  expect([struck('Subscribe', '/event/A__e'), struck('Subscribe', '/event/A__e')]).toEqual([0, 1]);
  expect(faults.status(id)).toMatchObject({ matched: 2, fired: 1 });
  expect(() => faults.add({ kind: 'stream-drop', match: { path: '/event/A__e' } })).toThrow(
    /strikes gRPC.*rpc and topic, not 'path'/,
  );
  expect(() => faults.add({ kind: 'drop', match: { topic: '/event/A__e' } })).toThrow(
    /strikes HTTP.*method and path, not 'topic'/,
  );
});

test('a lost publish reply strikes what publishes', () => {
  const faults = createFaultList();
  faults.add({ kind: 'publish-reply-lost' });
  expect(['Subscribe', 'GetTopic', 'Publish', 'PublishStream'].map((rpc) => faults.fire('rpc', rpc, '/x').length)).toEqual([
    0, 0, 1, 1,
  ]);
});
