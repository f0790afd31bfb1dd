import {
  type AnyTo,
  eventOfTopic,
  type From,
  type LookupSettings,
  parseFilter,
  parseUserQuery,
  type SideSettings,
} from '@tidemark/connector-salesforce/metadata';
import { fieldsToRead, type LookupConfig, type PackageConfig, type PairingConfig, type SyncConfig } from '@tidemark/core';
import type { ChosenOrg } from './choose-org.ts';

/** What syncs do with one object of the org. */
export class ObjectUse {
  readonly name: string;
  readonly reads = new Set<string>();
  readonly writes = new Set<string>();
  /** Fields by which records are found that are written. */
  readonly keys = new Set<string>();
  /** Somebody reads all of its fields. */
  readsAll = false;
  /** One-way syncs that write it. */
  readonly writers = new Set<SyncConfig>();
  /** Those of them that find records by whatever identifies one in their source. */
  readonly unkeyed = new Set<SyncConfig>();
  creates = false;
  edits = false;
  deletes = false;
  /** Its change events are listened for. */
  live = false;

  constructor(name: string) {
    this.name = name;
  }
}

/** What syncs do with one platform event. */
export class EventUse {
  readonly name: string;
  readonly fields = new Set<string>();
  received = false;
  /** One-way syncs that publish it. */
  readonly writers = new Set<SyncConfig>();

  constructor(name: string) {
    this.name = name;
  }
}

export interface OrgUse {
  readonly objects: ReadonlyMap<string, ObjectUse>;
  readonly events: ReadonlyMap<string, EventUse>;
  /** What the configuration does not tell in words that can be read here. */
  readonly notes: readonly string[];
}

/** All that syncs, and Flows of the package, do with an org, as the configuration tells it. */
export function orgUse(org: ChosenOrg, own: PackageConfig): OrgUse {
  const use = new Gathering(org);
  for (const sync of org.syncs) use.sync(sync);
  for (const pairing of org.pairings) use.pairing(pairing);
  for (const name of own.objects.keys()) use.object(name);
  for (const name of own.events.keys()) use.event(name);
  for (const { event, fields } of own.flows.values()) for (const field of fields.keys()) use.event(event).fields.add(field);
  return use;
}

/** Words of a condition that are no fields: operators, values and dates such as LAST_N_DAYS. */
const soqlWords =
  /^(?:AND|OR|NOT|LIKE|IN|INCLUDES|EXCLUDES|NULL|TRUE|FALSE|TODAY|YESTERDAY|TOMORROW|(?!.*__c$)(?:LAST|NEXT|THIS)_\w+|N_\w+_AGO)$/i;

class Gathering implements OrgUse {
  readonly objects = new Map<string, ObjectUse>();
  readonly events = new Map<string, EventUse>();
  readonly notes: string[] = [];
  readonly #org: ChosenOrg;

  constructor(org: ChosenOrg) {
    this.#org = org;
  }

  object(name: string): ObjectUse {
    return taken(this.objects, name, () => new ObjectUse(name));
  }

  event(name: string): EventUse {
    return taken(this.events, name, () => new EventUse(name));
  }

  sync(sync: SyncConfig): void {
    const { from, to, steps } = sync;
    if (from.kind === 'connection' && this.#org.is(from.connection)) this.#source(sync, from.spec as From);
    for (const step of steps) if (step.kind === 'lookup' && this.#org.is(step.connection)) this.#lookup(step);
    if (this.#org.is(to.connection)) this.#target(sync, to.spec as AnyTo);
  }

  pairing({ left, right, fields, deletes, live }: PairingConfig): void {
    for (const [side, name, towards] of [
      [left, 'left', 'to-left'],
      [right, 'right', 'to-right'],
    ] as const) {
      if (!this.#org.is(side.connection)) continue;
      const object = this.object((side.spec as SideSettings).object);
      for (const field of fields) {
        object.reads.add(field[name]);
        if (field.flows !== 'both' && field.flows !== towards) continue;
        object.writes.add(field[name]);
        object.edits = true;
      }
      if (side.link !== null) {
        object.keys.add(side.link);
        object.writes.add(side.link);
        object.creates ||= object.edits;
      }
      object.deletes ||= deletes === 'propagate';
      object.live ||= live;
    }
  }

  #source(sync: SyncConfig, spec: From): void {
    const wanted = fieldsToRead(sync);
    if (spec.topic !== undefined) {
      const event = this.event(eventOfTopic(spec.topic));
      event.received = true;
      for (const field of wanted ?? []) event.fields.add(field);
      return;
    }
    const query = spec.query === undefined ? null : parseUserQuery(spec.query);
    const object = this.object(spec.object ?? query!.object);
    for (const filter of [query?.where ?? null, sync.where === null ? null : parseFilter(sync.where)]) {
      if (filter?.hasSubselect) this.notes.push(`the filter of ${sync.name} asks other objects: let the user see these yourself`);
      else for (const word of filter?.words ?? []) if (!soqlWords.test(word)) object.reads.add(word);
    }
    for (const field of [...(query?.fields ?? []), ...(wanted ?? [])]) object.reads.add(field);
    object.readsAll ||= wanted === null && query === null;
    object.live ||= sync.live;
  }

  #lookup({ spec, key, fields, match }: LookupConfig): void {
    const object = this.object((spec as LookupSettings).object);
    for (const field of [key, ...fields.values(), ...(match?.found ?? [])]) object.reads.add(field);
  }

  #target(sync: SyncConfig, spec: AnyTo): void {
    const { fields, to, deletes } = sync;
    if ('topic' in spec) {
      const event = this.event(eventOfTopic(spec.topic));
      event.writers.add(sync);
      for (const field of fields?.keys() ?? []) event.fields.add(field);
      return;
    }
    const object = this.object(spec.object);
    object.writers.add(sync);
    for (const field of fields?.keys() ?? []) object.writes.add(field);
    const key = to.key?.length === 1 ? to.key[0]! : null;
    const operation = spec.operation ?? (key?.toLowerCase() === 'id' ? 'update' : 'upsert');
    if (key !== null && key.toLowerCase() !== 'id' && operation !== 'insert') {
      object.keys.add(key);
      object.writes.add(key);
    }
    if (key === null && operation !== 'insert') object.unkeyed.add(sync);
    object.creates ||= operation !== 'update';
    object.edits ||= operation !== 'insert';
    object.deletes ||= operation === 'upsert' && deletes === 'mirror';
    if (spec.compare) for (const field of fields?.keys() ?? []) object.reads.add(field);
  }
}

/** Names know no capitals: as the first one spells it. */
function taken<Use>(known: Map<string, Use>, name: string, make: () => Use): Use {
  const found = known.get(name.toLowerCase()) ?? make();
  known.set(name.toLowerCase(), found);
  return found;
}
