import type { SideResult, SideWrite } from '../../model/side.ts';
import type { Action } from './decide-pair.ts';
import type { Partners } from './find-partners.ts';
import type { SideName } from './merge-record.ts';

/** A pair, and what is to be done about it. */
export interface Work extends Partners {
  readonly action: Action;
}

export type Done = Readonly<Record<SideName, ReadonlyMap<Work, SideResult>>>;

/** What goes to one side. */
export type Writes = ReadonlyMap<Work, SideWrite>;
