import type { AnyConnector } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import type { Mapped, Values } from './mapping.ts';

/** Rows by id, by table. */
export type Copy = ReadonlyMap<string, ReadonlyMap<string, Values>>;

/** The target database as others than the engine see it, and as the engine reaches it. */
export interface SimulatedTarget {
  /** Of the configuration. */
  readonly connection: object;
  /** The connector, for one life of the engine. @param delay  how long a call takes each way, where that can be chosen */
  connector(scheduler: Scheduler, life: Life, delay: () => number): AnyConnector;
  /** `read` answers at once: a reader can look at any time. */
  readonly readsAtOnce: boolean;
  /** All tables at one moment, what is marked as deleted left out; null while one of them is not there yet. */
  read(mappings: readonly Mapped[]): Copy | null | Promise<Copy | null>;
  /** Where the stream stands, as it is kept beside the data; null while it has no position. */
  position(): string | null;
  /** Writes so far of what was read and not streamed: that is ahead of the stream. */
  readonly polls: number;
  /** Another program takes the write lock. Whether it got it. */
  lock(): boolean;
  unlock(): void;
  close(): Promise<void>;
}
