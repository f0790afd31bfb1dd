import { channelOf } from '@tidemark/connector-salesforce/metadata';
import {
  ConfigError,
  type FieldDefinition,
  type PackageConfig,
  type PackageFacts,
  type PackageFlow,
  type Problem,
} from '@tidemark/core';
import type { ChosenOrg } from './choose-org.ts';
import { FieldSources } from './field-sources.ts';
import { grantAll } from './grant-all.ts';
import type { Grants } from './grants.ts';
import { byName, developerName, labelOf, Names, pluralOf } from './names.ts';
import { saidFields } from './open-questions.ts';
import type { EventUse, ObjectUse, OrgUse } from './org-use.ts';

/** An object that is made, or one that is there and gets fields. */
export interface MadeObject {
  readonly name: string;
  /** Null: it is there already. */
  readonly made: { readonly label: string; readonly plural: string; readonly nameIsText: boolean } | null;
  readonly fields: ReadonlyMap<string, FieldDefinition>;
}

export interface MadeEvent {
  readonly name: string;
  readonly label: string;
  readonly plural: string;
  readonly publish: 'after-commit' | 'immediately';
  readonly fields: ReadonlyMap<string, FieldDefinition>;
}

/** All that the project holds. Names are as its files spell them: without its own namespace. */
export interface PackagePlan {
  readonly name: string;
  readonly developerName: string;
  readonly namespace: string | null;
  readonly apiVersion: string;
  readonly channel: string;
  readonly objects: readonly MadeObject[];
  readonly events: readonly MadeEvent[];
  readonly flows: ReadonlyMap<string, PackageFlow>;
  /** Objects whose change events are listened for. */
  readonly live: readonly string[];
  /** What a package can let somebody do: with what it brings. */
  readonly packaged: Grants;
  /** The rest, which the org's own administrator has to give. */
  readonly org: Grants;
  /** What a reader should know of it. */
  readonly notes: readonly string[];
}

const nothing: PackageFacts = { objects: new Map(), arriving: new Map(), unanswered: [] };

/** @throws {ConfigError} types that nobody tells: what customers install can hardly be changed there, so that none is guessed. */
export function planPackage(org: ChosenOrg, use: OrgUse, own: PackageConfig, facts: PackageFacts = nothing): PackagePlan {
  const names = new Names(own.namespace);
  const problems: Problem[] = [];
  const types = new FieldSources(facts, names, problems);
  const objects = inOrder(use.objects.values()).flatMap((object) => madeObject(object, own, names, types) ?? []);
  const events = inOrder(use.events.values()).flatMap((event) => madeEvent(event, own, names, types) ?? []);
  if (problems.length > 0) throw new ConfigError([...problems, ...facts.unanswered]);
  const { apiVersion, channel } = org.settings;
  // On other channels nothing is selected.
  const listens = channelOf(channel).kind === 'members';
  const { packaged, org: rest, notes } = grantAll(use, { objects, events, names, facts });
  const flows = [...own.flows].map(([name, flow]): [string, PackageFlow] => [name, { ...flow, event: names.local(flow.event) }]);
  return {
    ...{ name: own.name, developerName: developerName(own.name), namespace: own.namespace },
    ...{ apiVersion, channel, objects, events },
    flows: new Map(flows.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    live: inOrder(use.objects.values()).flatMap(({ live, name }) => (live && listens ? [name] : [])),
    ...{ packaged, org: rest, notes: [...new Set([...use.notes, ...notes])] },
  };
}

function madeObject(use: ObjectUse, own: PackageConfig, names: Names, types: FieldSources): MadeObject | null {
  const said = byName(own.objects, use.name);
  const isMade = names.isOwn(use.name) && (said !== undefined || use.creates || use.edits);
  for (const key of types.keys(use)) use.keys.add(key);
  for (const field of [...use.keys, ...types.written(use, saidFields(own.objects, use.name))]) use.writes.add(field);
  const fields = types.fields(`package.objects.${use.name}`, use, [...(said?.fields.keys() ?? []), ...use.writes], said?.fields);
  if (!isMade && fields.size === 0) return null;
  const label = said?.label ?? labelOf(names.local(use.name));
  const nameIsText = [...use.writes].some((field) => field.toLowerCase() === 'name');
  const made = isMade ? { label, plural: said?.plural ?? pluralOf(label), nameIsText } : null;
  return { name: names.local(use.name), made, fields };
}

function madeEvent(use: EventUse, own: PackageConfig, names: Names, types: FieldSources): MadeEvent | null {
  if (!names.isOwn(use.name)) return null;
  const said = byName(own.events, use.name);
  const place = `package.events.${use.name}`;
  const wanted = [
    ...(said?.fields.keys() ?? []),
    ...use.fields,
    ...types.described(use.name),
    ...types.written(use, said?.fields),
  ];
  const fields = types.fields(place, use, wanted, said?.fields);
  if (!wanted.some((field) => names.isOwn(field)))
    types.problem(place, 'has no fields that are told anywhere', 'say them: fields: { Record_Ids__c: LongTextArea }');
  const label = said?.label ?? labelOf(names.local(use.name));
  const publish = said?.publish ?? 'after-commit';
  return { name: names.local(use.name), label, plural: said?.plural ?? pluralOf(label), publish, fields };
}

function inOrder<Use extends { readonly name: string }>(uses: Iterable<Use>): Use[] {
  return [...uses].sort((a, b) => (a.name < b.name ? -1 : 1));
}
