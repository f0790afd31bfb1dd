import { type Change, newRow, OwnershipLostError, type StreamChange, type StreamWriter } from '@tidemark/core';
import fc from 'fast-check';
import { expect } from 'vitest';
import { contactColumns, type HistoryFixture, loadWhole, never, type OwnedTarget, ownTarget } from './history-fixture.ts';
import { contact, remove, upsert } from './rows.ts';
import { expectSoundHistory, type HistoryPlace, readCurrent, readVersions, Told } from './sound-history.ts';

type ValueOf<T> = T extends fc.Arbitrary<infer Value> ? Value : never;

const key = fc.constantFrom('a', 'b', 'c', "d'd");
const name = fc.constantFrom('x', 'y', 'Y', '', null);
const stampMs = fc.constantFrom(1000, 2000, 2000, 3000, 4000);
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('upsert' as const), key, name, stampMs }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), key, stampMs }) },
);
const update = fc.record({ op: fc.constant('update' as const), key, name, stampMs });
const distinct = { selector: ({ key }: { key: string }) => key, minLength: 1, maxLength: 4 };

/** As another program writes the table. */
const foreign = fc.constantFrom(
  "UPDATE contacts SET name = 'theirs'",
  'UPDATE contacts SET name = name',
  "DELETE FROM contacts WHERE id > 'b'",
  'DELETE FROM contacts',
  "UPDATE contacts SET id = id || '2' WHERE id < 'c'",
  "INSERT INTO contacts (id, name) VALUES ('their own', 'x') ON CONFLICT (id) DO UPDATE SET name = 'z'",
);

export const historyStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), changes: fc.uniqueArray(change, distinct) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('stream' as const), changes: fc.uniqueArray(fc.oneof(change, update), distinct) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      rows: fc.uniqueArray(fc.record({ key, name, stampMs }), { ...distinct, minLength: 0 }),
      style: fc.constantFrom('text' as const, 'values' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'overtaken' as const, 'restart' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('foreign' as const), sql: foreign }) },
);
export type HistoryStep = ValueOf<typeof historyStep>;

function changeOf(told: ValueOf<typeof change>): Change {
  return told.op === 'delete' ? remove(told.key, told.stampMs) : upsert(contact(told.key, { Name: told.name }), told.stampMs);
}

function streamChangeOf(told: ValueOf<typeof change> | ValueOf<typeof update>): StreamChange {
  if (told.op !== 'update') return changeOf(told);
  return { op: 'update', key: told.key, row: Object.assign(newRow(), { Name: told.name }), stampMs: told.stampMs };
}

/** Thrown where a process would die. */
class Crash extends Error {}

/** A target whose versions are kept, what is done to it, and what its rows have been. */
export class HistoryWorld implements AsyncDisposable {
  readonly #fixture: HistoryFixture;
  readonly #deletes: 'mirror' | 'mark';
  readonly #place: HistoryPlace;
  readonly #told = new Told();
  #owned: OwnedTarget;
  #writer: StreamWriter;
  #loads = 0;

  static async open(fixture: HistoryFixture, deletes: 'mirror' | 'mark'): Promise<HistoryWorld> {
    const owned = await ownTarget(fixture, { history: true, deletes });
    return new HistoryWorld(fixture, deletes, owned, await fixture.openStreamWriter([owned.target]));
  }

  private constructor(fixture: HistoryFixture, deletes: 'mirror' | 'mark', owned: OwnedTarget, writer: StreamWriter) {
    this.#fixture = fixture;
    this.#deletes = deletes;
    this.#owned = owned;
    this.#writer = writer;
    this.#place = { table: 'contacts', columns: [...contactColumns, ...(deletes === 'mark' ? ['_tidemark_deleted_at'] : [])] };
  }

  async take(step: HistoryStep): Promise<void> {
    switch (step.do) {
      case 'write':
        await this.#owned.write(step.changes.map(changeOf));
        break;
      case 'stream':
        await this.#stream(step.changes.map(streamChangeOf));
        break;
      case 'load':
        await this.#load(step);
        break;
      case 'foreign':
        await this.#fixture.ask(step.sql);
        break;
      case 'crash':
        await this.#crash();
        break;
      case 'overtaken':
        await this.#overtaken();
        break;
      case 'restart':
        await this.#restart();
    }
  }

  /** After each step: the versions are sound, and they are what the rows have been. */
  async check(): Promise<void> {
    const current = await readCurrent(this.#fixture.ask, this.#place);
    const versions = await readVersions(this.#fixture.ask, this.#place);
    expectSoundHistory(versions, current);
    this.#told.note(current);
    this.#told.expectOf(versions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  async #stream(changes: readonly StreamChange[]): Promise<void> {
    const transaction = await this.#writer.begin(never);
    await transaction.apply(this.#owned.target, changes);
    await transaction.commit('contract', this.#owned.epoch, 'on');
  }

  async #load({ rows, style }: HistoryStep & { readonly do: 'load' }): Promise<void> {
    const staged = rows.map((each) => ({ row: contact(each.key, { Name: each.name }), stampMs: each.stampMs }));
    await loadWhole(this.#owned, `load ${this.#loads++}`, staged, style);
  }

  async #crash(): Promise<void> {
    const { target, epoch } = this.#owned;
    const changes = [upsert(contact('a', { Name: 'lost' }), 9000), remove('b', 9000), upsert(contact('new'), 9000)];
    const dying = target.write(changes, { epoch, settle: () => Promise.reject(new Crash()) }, never);
    await expect(dying).rejects.toThrow(Crash);
    const transaction = await this.#writer.begin(never);
    await transaction.apply(target, changes);
    await transaction.rollback();
  }

  async #overtaken(): Promise<void> {
    const former = this.#owned;
    this.#owned = await ownTarget(this.#fixture, { history: true, deletes: this.#deletes });
    await expect(former.write([upsert(contact('a', { Name: 'late' }), 9000)])).rejects.toThrow(OwnershipLostError);
    await this.#restart();
  }

  /** Whatever is there, it is all there already. */
  async #restart(): Promise<void> {
    const target = await this.#fixture.open({ history: true, deletes: this.#deletes });
    expect(await target.prepare()).toEqual([]);
    this.#owned = await ownTarget(this.#fixture, { history: true, deletes: this.#deletes });
    await this.#writer[Symbol.asyncDispose]();
    this.#writer = await this.#fixture.openStreamWriter([this.#owned.target]);
  }
}
