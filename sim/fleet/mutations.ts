import { inFile } from '../lib/in-file.ts';
import type { Mutation } from '../lib/simulation.ts';

const ownership = inFile('core/src/control/ownership/ownership.ts');
const fence = inFile('core/src/control/ownership/fence.ts');
const shares = inFile('core/src/control/ownership/shares.ts');
const workers = inFile('core/src/store/workers.ts');
const database = inFile('connectors/sqlite/database.ts');
const target = inFile('connectors/sqlite/target.ts');

const ownershipTest = 'core/src/control/ownership/ownership.property.test.ts';
const twoOwners = {
  file: ownershipTest,
  name: 'whatever befalls workers, no unit has two of them at work, and each has one soon',
};
const takenOver = { file: ownershipTest, name: 'what a worker did is done by another one within ten seconds' };

/** Every safeguard of a fleet, taken away one at a time. */
export const mutations: readonly Mutation[] = [
  {
    name: 'the target does not look at epochs',
    promise: 'P11',
    test: {
      file: 'connectors/sqlite/connector.test.ts',
      name: 'a former owner can change nothing: neither rows nor checkpoint (P11)',
    },
    edits: [database('  if (known !== epoch) {', '  if (known === undefined) {')],
  },
  {
    name: 'a worker that is not answered goes on',
    promise: 'P11',
    test: twoOwners,
    edits: [fence("() => this.#end('the state store has not answered this worker in time'),", '() => {},')],
  },
  {
    name: 'what a worker did goes on after its session is lost',
    promise: 'P11',
    test: twoOwners,
    edits: [
      ownership(
        `      // Whatever has become of the session: what was owned by it is not ours any more.
      for (const owned of this.#owned.values()) {
        owned.isGivenUp = true;
        owned.end.abort(fence.lost.reason);
      }`,
        '      this.#owned.clear();',
      ),
    ],
  },
  {
    name: 'a worker lets itself be heard too rarely',
    promise: 'P11',
    edits: [workers('export const BEAT_MS = 2000;', 'export const BEAT_MS = 20_000;')],
  },
  {
    name: 'who is silent is waited for ten times as long',
    promise: 'P11',
    test: takenOver,
    edits: [workers('export const SILENT_MS_MAX = 8000;', 'export const SILENT_MS_MAX = 80_000;')],
  },
  {
    name: 'who is late is looked at as rarely as others',
    promise: 'P11',
    test: takenOver,
    edits: [ownership('isSomebodyLate ? LATE_BEAT_MS : BEAT_MS', 'BEAT_MS * (isSomebodyLate ? 2 : 1)')],
  },
  {
    name: 'what is given up stays locked',
    promise: 'P11',
    test: takenOver,
    edits: [ownership('if (over.length > 0) await fence.ask(() => session.give(over));', '')],
  },
  {
    name: 'a unit is let go while it is still worked on',
    promise: 'P11',
    test: twoOwners,
    edits: [ownership('({ isOver, isGivenUp }) => isOver && isGivenUp', '({ isGivenUp }) => isGivenUp')],
  },
  {
    name: 'what is more than a fair share is kept',
    promise: 'P11',
    test: twoOwners,
    edits: [ownership('for (const owned of kept.slice(max)) this.#giveUp(owned);', '')],
  },
  {
    name: 'shares are rounded down',
    promise: 'P11',
    test: twoOwners,
    edits: [shares('Math.ceil(units.length / workers)', 'Math.floor(units.length / workers)')],
  },
  {
    name: 'whoever waits for his turn takes a unit over that he has lost meanwhile',
    promise: 'P11',
    edits: [
      target(
        "          signal?.throwIfAborted();\n          return client.call('acquire', unit);",
        "          return client.call('acquire', unit);",
      ),
    ],
  },
  {
    name: 'who has his part of what all may do has no room for what only he may',
    promise: 'P11',
    edits: [shares('const name = workers.map(({ id }) => id).join();', "const name = '';")],
    test: {
      file: 'core/src/control/ownership/shares.property.test.ts',
      name: 'whatever workers are configured with, their shares are enough for all units, and nobody who may do one counts less than he can take',
    },
  },
  {
    name: 'the oldest configuration counts',
    promise: 'P11',
    edits: [shares('b.configuredAtMs - a.configuredAtMs', 'a.configuredAtMs - b.configuredAtMs')],
    test: {
      file: 'core/src/control/ownership/shares.property.test.ts',
      name: 'a unit that is configured anew belongs to those who have it so; what nobody changed is shared by all',
    },
  },
];
