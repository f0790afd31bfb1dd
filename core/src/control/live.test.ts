import { expect, test } from 'vitest';
import { AccessDeniedError, NotConnectedError, RequestRefusedError, TransientError } from '../base/errors.ts';
import { newRow } from '../model/value.ts';
import { StreamWorld, type Write } from './live-fixture.ts';

const minute = 60_000;

test('P5: while one sync is read for long, the stream of the others is lost and goes on at once', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  const read = world.holdReads('people', 'full');
  await world.start();
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ state: 'catching up', rereads: ['people'] });
  await world.lose(new TransientError('lost'));
  await world.write(['people', '1', { name: 'El' }], ['places', '1', { name: 'Gotham' }]);
  await world.clock.advance(minute);
  expect(world.copied('places')).toEqual({ 1: 'Gotham' });
  expect(world.opened).toBe(2);
  expect(world.copied('people')).toEqual({});
  read();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
  // One load, and the delta that brings what was told during it: the lost connection cost no other.
  expect(world.runs.filter((run) => run.startsWith('people'))).toEqual(['people full succeeded', 'people delta succeeded']);
  expect(world.status).toMatchObject({ state: 'live', rereads: [] });
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({});
});

test('P1: what is read before the stream listens is read once more when it does', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.start();
  await world.clock.advance(minute);
  await world.stop();
  world.tells = false;
  world.writeUntold(['people', '1', { name: 'El' }]);
  // The position has been passed by the retention: the stream begins anew.
  await world.clock.advance(80 * 60 * minute);
  world.runs.length = 0;
  await world.start();
  await world.clock.advance(minute);
  // Nobody knows whether the stream listens: the copy does not wait for it, and the hole stays.
  expect(world.copied('people')).toEqual({ 1: 'El' });
  expect(world.kept!.rereads).toEqual({ people: 'delta', places: 'delta' });
  await world.clock.advance(10 * minute);
  expect(world.runs.filter((run) => run.startsWith('people'))).toEqual(['people delta succeeded']);
  // Between that read and the stream's first word: nobody tells of it.
  world.writeUntold(['people', '1', { name: 'Superman' }]);
  world.tells = true;
  await world.publish();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'Superman' });
  expect(world.kept!.rereads).toEqual({});
});

test('P1: what was told when the delta behind a first load had passed it is read by another one', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }]);
  const loaded = world.holdReads('people', 'delta', 'end');
  await world.start();
  await world.clock.advance(minute);
  await world.write(['people', '1', { name: 'El' }]);
  loaded();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
});

test('P1: a reread that fails is tried again until it succeeds, and its hole is kept until then', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  // What no retry within a run mends: the run fails.
  world.faults = (point) => {
    if (point === 'write') throw new RequestRefusedError('not now');
  };
  world.writeUntold(['people', '1', { name: 'Kent' }]);
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  await world.clock.advance(5 * minute);
  expect(world.runs.filter((run) => run === 'people delta failed').length).toBeGreaterThan(3);
  expect(world.kept!.rereads).toEqual({ people: { sinceMs: expect.any(Number) } });
  world.faults = undefined;
  await world.clock.advance(2 * minute);
  expect(world.copied('people')).toEqual({ 1: 'Kent' });
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({});
});

test('P1: a hole that comes up while another one of the sync is read has a read of its own', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const read = world.holdReads('people', 'full');
  const wildcard = { op: 'wildcard', dataset: 'people', keys: ['00'] } as const;
  await world.publish(wildcard);
  await world.clock.advance(minute);
  await world.publish(wildcard);
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({ people: 'full' });
  world.runs.length = 0;
  read();
  await world.clock.advance(minute);
  expect(world.runs).toEqual(['people full succeeded', 'people full succeeded']);
  expect(world.kept!.rereads).toEqual({});
});

test('P1: a hole that is mended while a transaction commits is kept as mended right after, and not only with the next event', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const read = world.holdReads('people', 'full');
  await world.publish({ op: 'wildcard', dataset: 'people', keys: ['00'] });
  const commit = world.holdCommits();
  await world.write(['places', '1', { name: 'Metropolis' }]);
  read();
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({ people: 'full' });
  commit();
  await world.clock.advance(0);
  expect(world.copied('places')).toEqual({ 1: 'Metropolis' });
  expect(world.kept!.rereads).toEqual({});
});

test('P1: while a large transaction is open, a quiet stream keeps nothing beside it: in a file both would wait for ever', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const read = world.holdReads('people', 'delta');
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  world.runs.length = 0;
  const before = world.kept!;
  // So many that a part of them is written before the rest has come.
  world.tellsUpTo = 4300;
  await world.write(...Array.from({ length: 5000 }, (_, i): Write => ['places', String(i), { name: `n${i}` }]));
  read();
  await world.clock.advance(minute);
  expect(world.runs).toEqual(['people delta succeeded']);
  expect(world.copied('places')).toEqual({});
  expect(world.kept).toEqual(before);
  world.tellsUpTo = Number.POSITIVE_INFINITY;
  await world.publish();
  await world.clock.advance(minute);
  expect(world.copied('places')).toEqual(world.truth('places'));
  expect(world.collisions).toBe(0);
  expect(world.kept!.rereads).toEqual({});
});

const hold = { people: { onFailure: 'hold', every: '10m', startDelay: '10m' } };

test('P2: with `onFailure: hold` a refused record of the stream keeps its sync from passing it, and nobody else', async () => {
  await using world = await StreamWorld.open();
  await world.start(hold);
  await world.clock.advance(minute);
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(10 * minute);
  const before = await world.checkpoint('people');
  world.poison.add('2');
  await world.write(['people', '2', { name: 'Lex' }], ['people', '3', { name: 'Lane' }], ['places', '1', { name: 'Metropolis' }]);
  expect(world.copied('people')).toEqual({ 1: 'Kent', 3: 'Lane' });
  expect(world.copied('places')).toEqual({ 1: 'Metropolis' });
  world.runs.length = 0;
  await world.clock.advance(30 * minute);
  const [status] = await world.engine.status('people');
  expect(status).toMatchObject({ held: { key: '2', message: 'refused' }, openFailures: 1, lastRun: { heldBy: '2' } });
  expect(world.runs).toEqual(Array(3).fill('people delta failed'));
  expect(await world.checkpoint('people')).toBe(before);
  expect(world.kept!.position).toBe('4');
  // What the window holds is read again as long as it is open, and what comes meanwhile is written.
  await world.write(['people', '4', { name: 'Olsen' }]);
  expect(world.copied('people')).toEqual({ 1: 'Kent', 3: 'Lane', 4: 'Olsen' });
  world.poison.clear();
  await world.clock.advance(10 * minute);
  expect(world.copied('people')).toEqual(world.truth('people'));
  expect(await world.engine.status('people')).toMatchObject([{ held: null, openFailures: 0 }]);
  expect(Number(await world.checkpoint('people'))).toBeGreaterThan(Number(before));
});

test('P2: a hole that is read is mended, though a record of it is held', async () => {
  await using world = await StreamWorld.open();
  await world.start(hold);
  await world.clock.advance(minute);
  world.poison.add('2');
  world.writeUntold(['people', '1', { name: 'Kent' }], ['people', '2', { name: 'Lex' }]);
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'Kent' });
  expect(world.status).toMatchObject({ state: 'live', rereads: [] });
  expect(world.runs.filter((run) => run.startsWith('people delta'))).toEqual(['people delta succeeded', 'people delta failed']);
  expect(await world.engine.status('people')).toMatchObject([{ held: { key: '2' } }]);
});

const noRight = () => new AccessDeniedError('no right to people');

test('P2: a sync that cannot be opened stands aside with its reason, the others go on, and it follows when it can', async () => {
  await using world = await StreamWorld.open();
  world.shut.set('people', noRight());
  await world.start();
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  await world.clock.advance(minute);
  expect(world.copied('places')).toEqual({ 1: 'Metropolis' });
  expect(world.status).toMatchObject({ state: 'live', aside: { people: 'no right to people' } });
  world.shut.clear();
  await world.clock.advance(10 * minute);
  expect(world.status).toMatchObject({ state: 'live', aside: {} });
  await world.write(['people', '1', { name: 'El' }]);
  expect(world.copied('people')).toEqual({ 1: 'El' });
});

test('P1: a sync whose target refuses all of a sudden stands aside, and reads what it missed when it is back', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  world.refused.set('people', noRight());
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  await world.clock.advance(10);
  expect(world.copied('places')).toEqual({ 1: 'Metropolis' });
  expect(world.status.aside).toEqual({ people: 'no right to people' });
  await world.write(['people', '2', { name: 'Lane' }]);
  world.refused.clear();
  await world.clock.advance(11 * minute);
  expect(world.status).toMatchObject({ state: 'live', aside: {} });
  expect(world.copied('people')).toEqual({ 1: 'Kent', 2: 'Lane' });
});

test('P1: a table that is dropped under a stream is filled anew, and not with what the stream tells alone', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(minute);
  const copy = world.target.dataset('people_copy');
  copy.purge('1');
  copy.schema = null;
  await world.lose(new NotConnectedError('lost'));
  await world.clock.advance(10_000);
  expect(world.copied('people')).toEqual({ 1: 'Kent' });
});

test('P1: what a sync that stands aside has to read again is not forgotten, in another life either', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  world.holdReads('people', 'full');
  await world.publish({ op: 'wildcard', dataset: 'people', keys: ['00'] });
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({ people: 'full' });
  world.holdReads('people', 'full')();
  world.shut.set('people', noRight());
  for (let life = 0; life < 2; life++) {
    world.kill();
    await world.start();
    await world.write(['places', '1', { name: `in life ${life}` }]);
    await world.clock.advance(minute);
    expect(world.copied('places')).toEqual({ 1: `in life ${life}` });
    expect(world.kept!.rereads).toEqual({ people: 'full' });
  }
  world.shut.clear();
  world.runs.length = 0;
  await world.clock.advance(11 * minute);
  expect(world.runs).toEqual(['people full succeeded']);
});

test('a stream whose syncs all stand aside waits, and does not ask again and again', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  for (const name of ['people', 'places']) world.refused.set(name, noRight());
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  const before = world.opened;
  await world.clock.advance(30 * minute);
  expect(world.opened - before).toBeLessThan(10);
  world.refused.clear();
  await world.clock.advance(11 * minute);
  expect([world.copied('people'), world.copied('places')]).toEqual([{ 1: 'Kent' }, { 1: 'Metropolis' }]);
});

test('P11: when another process follows the same stream, the first one is refused at its next commit, says so and leaves it to that one', async () => {
  await using world = await StreamWorld.open();
  const first = await world.start();
  await world.clock.advance(minute);
  await world.start();
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(minute);
  expect(first.liveStatus()[0]).toMatchObject({ state: 'stopped', reason: expect.stringContaining('is not the latest') });
  await world.clock.advance(10 * minute);
  await world.write(['people', '1', { name: 'El' }]);
  expect(world.copied('people')).toEqual({ 1: 'El' });
  expect(world.status).toMatchObject({ state: 'live' });
});

test('P11: a process that comes back to a stream which another one has begun to follow does not take it over', async () => {
  await using world = await StreamWorld.open();
  const first = await world.start();
  await world.clock.advance(minute);
  // The first one loses its connection, and comes back to the second one's.
  const lost = world.lose(new TransientError('lost'));
  await world.start();
  await lost;
  await world.clock.advance(minute);
  expect(first.liveStatus()[0]).toMatchObject({ state: 'stopped', reason: expect.stringContaining('another process follows') });
  expect(world.status).toMatchObject({ state: 'live' });
});

test('P5, P11: who has lost the stream takes it over again when the other one is gone: at once when that was stopped, else after a minute', async () => {
  for (const end of ['stop', 'kill'] as const) {
    await using world = await StreamWorld.open();
    const first = await world.start();
    await world.clock.advance(minute);
    await world.start();
    await world.write(['people', '1', { name: 'Kent' }]);
    await world.clock.advance(minute);
    expect(first.liveStatus()[0]!.state).toBe('stopped');
    // As long as the other one is there, however quiet the stream.
    await world.clock.advance(60 * minute);
    expect(first.liveStatus()[0]!.state).toBe('stopped');
    expect(world.status.state).toBe('live');
    // What the other one has left to be read is read by the first one.
    world.shut.set('people', noRight());
    await world.write(['people', '2', { name: 'Lane' }]);
    await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
    await (end === 'stop' ? world.stop() : world.kill());
    world.shut.clear();
    await world.clock.advance(end === 'stop' ? minute / 4 : 2 * minute);
    expect(first.liveStatus()[0]).toMatchObject({ state: 'live', reason: null });
    await world.write(['people', '1', { name: 'El' }]);
    expect(world.copied('people')).toEqual({ 1: 'El', 2: 'Lane' });
  }
});

test('P11: who waits for a stream that it has lost is not fooled by a time in which its own machine slept', async () => {
  await using world = await StreamWorld.open();
  const first = await world.start();
  await world.clock.advance(minute);
  await world.start();
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(minute);
  const epochOf = () => [...world.target.units].find(([name]) => name.startsWith('live:'))![1].epoch;
  const epoch = epochOf();
  for (let times = 0; times < 5; times++) {
    world.clock.at += 10 * minute;
    await world.clock.advance(minute / 4);
  }
  expect(first.liveStatus()[0]!.state).toBe('stopped');
  expect(epochOf()).toBe(epoch);
});

test('P5: a change of all records of a sync that stands aside is read when it is back, in another life too, whatever no delta shows', async () => {
  for (const lives of [1, 2]) {
    await using world = await StreamWorld.open();
    await world.start();
    await world.clock.advance(minute);
    world.shut.set('people', noRight());
    await world.lose(new TransientError('lost'));
    await world.clock.advance(minute);
    expect(world.status).toMatchObject({ state: 'live', aside: { people: 'no right to people' } });
    if (lives === 2) {
      world.kill();
      await world.start();
      await world.clock.advance(minute);
    }
    await world.publish({ op: 'wildcard', dataset: 'people', keys: [''] });
    expect(world.kept!.rereads).toEqual({ people: 'full' });
    world.runs.length = 0;
    world.shut.clear();
    await world.clock.advance(11 * minute);
    expect(world.runs).toEqual(['people full succeeded']);
  }
});

test('P5: a change of all records of a sync that stands aside is read when it is back, though the position was lost meanwhile', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  world.shut.set('people', noRight());
  await world.lose(new TransientError('lost'));
  await world.clock.advance(minute);
  await world.publish({ op: 'wildcard', dataset: 'people', keys: [''] });
  await world.stop();
  // Passed by the retention.
  await world.clock.advance(80 * 60 * minute);
  await world.start();
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ aside: { people: 'no right to people' } });
  expect(world.kept!.rereads).toEqual({ people: 'full' });
  world.runs.length = 0;
  world.shut.clear();
  await world.clock.advance(11 * minute);
  expect(world.runs).toEqual(['people full succeeded']);
});

test('P5: what a change of all records of a kind has made of them is in the copy, though no stamp tells of it', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.write(['people', '1', { name: 'Kent', city: 'Metropolis' }], ['people', '2', { name: 'Lane', city: 'Metropolis' }]);
  await world.clock.advance(minute);
  // By the system itself: for its deltas nothing has happened.
  await world.engine.run('people', { signal: new AbortController().signal });
  for (const [, { row }] of world.source.dataset('people').rows()) row.city = 'METROPOLIS';
  await world.engine.run('people', { signal: new AbortController().signal });
  expect(world.copied('people')).toEqual({ 1: 'Kent Metropolis', 2: 'Lane Metropolis' });
  await world.publish({ op: 'wildcard', dataset: 'people', keys: [''] });
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'Kent METROPOLIS', 2: 'Lane METROPOLIS' });
  expect(world.status).toMatchObject({ state: 'live', healed: { gap: 1 } });
});

test('P8: a record may be called what it likes: an asterisk at the end of its key has nothing else read', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  world.runs.length = 0;
  await world.write(['people', 'Kent*', { name: 'Kent' }]);
  await world.publish({ op: 'gap', dataset: 'people', keys: ['Kent*'] });
  await world.write(['people', 'Kent*', { name: 'El' }]);
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 'Kent*': 'El' });
  expect(world.runs).toEqual([]);
});

test('P3: what a poll has read does not undo what the stream has written since, of the same second too', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.write(['people', '1', { name: 'Clark' }]);
  await world.clock.advance(minute);
  world.writeUntold(['people', '1', { name: 'Kent' }]);
  const goOn = world.holdReads('people', 'delta', 'in hand');
  const { signal } = new AbortController();
  const polled = world.engine.run('people', { signal });
  await world.clock.advance(0);
  world.clock.at -= 1000;
  await world.write(['people', '1', { name: 'El' }]);
  expect(world.copied('people')).toEqual({ 1: 'El' });
  goOn();
  expect(await polled).toMatchObject({ kind: 'delta', state: 'succeeded' });
  expect(world.copied('people')).toEqual({ 1: 'El' });
});

test('P5: what waits to be read until another run of the sync has ended is read right after it, however long that took', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  world.writeUntold(['people', '1', { name: 'Kent' }]);
  const goOn = world.holdReads('people', 'delta', 'in hand');
  const other = world.engine.run('people', { signal: new AbortController().signal });
  await world.clock.advance(0);
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  await world.clock.advance(60 * minute);
  expect(world.status.rereads).toEqual(['people']);
  world.runs.length = 0;
  goOn();
  await world.clock.advance(0);
  await other;
  await world.clock.advance(1500);
  // The other one, and what waited for it.
  expect(world.runs).toEqual(['people delta succeeded', 'people delta succeeded']);
  expect(world.status.rereads).toEqual([]);
});

test('P12: a sync whose mapping has changed is read again, while the others of its stream go on', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent', city: 'Metropolis' }], ['places', '1', { name: 'Metropolis' }]);
  await world.start({ people: { fields: { id: 'id', name: 'name' } } });
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'Kent' });
  await world.stop();
  world.runs.length = 0;
  const read = world.holdReads('people', 'full');
  await world.start({ people: { fields: { id: 'id', name: "= city & '!'" } } });
  await world.clock.advance(minute);
  await world.write(['people', '2', { name: 'Lane', city: 'Smallville' }], ['places', '1', { name: 'Gotham' }]);
  expect(world.copied('places')).toEqual({ 1: 'Gotham' });
  expect(world.status).toMatchObject({ state: 'catching up', rereads: ['people'] });
  read();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'Metropolis!', 2: 'Smallville!' });
  expect(world.runs).toEqual(['people full succeeded']);
  expect(world.status).toMatchObject({ state: 'live', rereads: [] });
});

test('what a sync has left to be read when it is taken out keeps nobody waiting, and when it is back it reads what it missed', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const read = world.holdReads('people', 'delta');
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({ people: { sinceMs: expect.any(Number) } });
  world.kill();
  read();
  await world.start({ people: null });
  await world.write(['people', '1', { name: 'El' }], ['places', '1', { name: 'Metropolis' }]);
  await world.clock.advance(minute);
  expect(world.copied('places')).toEqual({ 1: 'Metropolis' });
  expect(world.status).toMatchObject({ state: 'live', rereads: [] });
  expect(world.kept!.rereads).toEqual({});
  await world.stop();
  await world.start();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
});

test('P1, P9: while the target is down for an hour no more is taken in than memory may hold, and nothing is lost', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  world.faults = () => {
    throw new TransientError('the target is down');
  };
  let most = 0;
  for (let n = 0; n < 60; n++) {
    await world.write(...Array.from({ length: 400 }, (_, i): Write => ['people', String(i), { name: `${n}` }]));
    await world.clock.advance(minute);
    most = Math.max(most, world.delivered);
  }
  // Of 24,000: as many as may come in, as are ready to be written, and as are being written.
  expect(most).toBeLessThan(12_200);
  world.faults = undefined;
  await world.clock.advance(2 * minute);
  expect(world.copied('people')).toEqual(world.truth('people'));
  expect(world.status).toMatchObject({ state: 'live', splits: 0 });
});

test('P1: what is read after a stream was lost with its position, and before the new one listens, is read once more', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(minute);
  world.tells = false;
  world.forgotten = 1000;
  await world.lose(new TransientError('lost'));
  await world.clock.advance(minute);
  expect(world.status.rereads).toEqual(['people', 'places']);
  world.writeUntold(['people', '1', { name: 'El' }]);
  world.forgotten = 0;
  world.tells = true;
  await world.publish();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
  expect(world.kept!.rereads).toEqual({});
});

test('P3: what has the stamp of a record that was read ahead of the stream does not undo what the read has seen', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.start();
  await world.clock.advance(minute);
  world.writeUntold(['people', '1', { name: 'El', city: 'Metropolis' }]);
  const stampMs = world.clock.at;
  const about = { dataset: 'people', keys: ['1'] } as const;
  await world.publish({ op: 'gap', ...about });
  expect(world.copied('people')).toEqual({ 1: 'El Metropolis' });
  // From before the read, though in the same second: what the city was on the way.
  await world.publish({ op: 'update', row: { city: 'Smallville' }, stampMs, ...about });
  expect(world.copied('people')).toEqual({ 1: 'El Metropolis' });
  await world.publish({ op: 'delete', ...about, committedAtMs: stampMs });
  expect(world.copied('people')).toEqual({ 1: 'El Metropolis' });
  // A newer one is no doubt, and nothing is read for it.
  await world.publish({ op: 'update', row: { city: 'Gotham' }, stampMs: stampMs + 1000, ...about });
  expect(world.copied('people')).toEqual({ 1: 'El Gotham' });
});

test('P1: a change that tells no stamp is not taken for as old as the one before it, with which it is written', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent', city: 'Smallville' }]);
  await world.start();
  await world.clock.advance(minute);
  const renamed = world.writeUntold(['people', '1', { name: 'El' }]);
  // By the system, of which no event tells; a poll brings the record with the stamp that it got so.
  world.writeUntold(['people', '1', {}]);
  await world.engine.run('people', { signal: new AbortController().signal });
  // By the system too, as an address gets its place: the event has no stamp, and the record's stays.
  const record = world.source.dataset('people').get('1')!.row;
  record.city = 'Metropolis';
  const placed = { op: 'update', dataset: 'people', keys: ['1'], row: Object.assign(newRow(), { city: 'Metropolis' }) } as const;
  // Both come while something else is written, and are written together then.
  const commit = world.holdCommits();
  await world.write(['places', '1', { name: 'Metropolis' }]);
  await world.publish(...renamed, placed);
  commit();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El Metropolis' });
});

test('P1: what was committed while a silent stream was only taken to listen is read at its first word', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }]);
  world.assumes = true;
  await world.start();
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ state: 'live', rereads: [] });
  // The source did not listen yet, and its stream will never tell of this.
  world.writeUntold(['people', '1', { name: 'El' }]);
  await world.write(['places', '1', { name: 'Metropolis' }]);
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
  expect(world.kept!.rereads).toEqual({});
  // That was it: from here on it is known to listen.
  const runs = world.runs.length;
  await world.write(['places', '1', { name: 'Gotham' }]);
  await world.clock.advance(minute);
  expect(world.runs).toHaveLength(runs);
});

test('P1: what a first word brings to be read is kept with its position, so that no crash passes it over', async () => {
  await using world = await StreamWorld.open();
  world.assumes = true;
  await world.start();
  await world.clock.advance(minute);
  world.writeUntold(['people', '1', { name: 'El' }]);
  const read = world.holdReads('people', 'delta');
  await world.write(['places', '1', { name: 'Metropolis' }]);
  await world.clock.advance(minute);
  expect(world.kept).toMatchObject({ position: '1', rereads: { people: 'delta' } });
  world.kill();
  read();
  await world.start();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
});

test('another system behind the connection is refused until every sync of the stream is reset; then it begins anew', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  await world.start();
  await world.clock.advance(minute);
  await world.stop();
  world.origin = 'refreshed';
  await world.start();
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ connected: false, reason: expect.stringContaining('the targets hold records of memory') });
  const { signal } = new AbortController();
  await world.engine.reset('people', signal);
  await world.stop();
  await world.start();
  await world.clock.advance(minute);
  expect(world.status.reason).toContain('the targets hold records of memory');
  await world.engine.reset('places', signal);
  await world.stop();
  await world.start();
  await world.clock.advance(minute);
  await world.write(['people', '1', { name: 'El' }]);
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ connected: true, reason: null });
  expect(world.copied('people')).toEqual({ 1: 'El' });
});

test('P8: while nothing can be written, a backlog is not delivered again and again: a source may count deliveries by the day', async () => {
  for (const inOne of [false, true]) {
    await using world = await StreamWorld.open();
    await world.start();
    await world.clock.advance(minute);
    const backlog = Array.from({ length: 3000 }, (_, i): Write => ['people', String(i), { name: 'Kent' }]);
    let isDown = true;
    world.faults = (point) => {
      if (isDown && point === 'commit') throw new TransientError('down');
    };
    if (inOne) await world.write(...backlog);
    else await world.publish(...backlog.flatMap((write) => world.writeUntold(write)));
    let delivered = 0;
    let opened = world.opened;
    for (let i = 0; i < 60; i++) {
      await world.clock.advance(minute);
      delivered += (world.opened - opened) * world.delivered;
      opened = world.opened;
    }
    // What is one transaction can only come whole.
    if (!inOne) expect(delivered).toBeLessThan(60 * 4 * 100);
    isDown = false;
    await world.clock.advance(5 * minute);
    expect(world.copied('people')).toEqual(world.truth('people'));
    expect(world.status).toMatchObject({ state: 'live' });
  }
});
