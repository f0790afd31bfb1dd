import {
  ConfigError,
  type FieldDefinition,
  type PackageConfig,
  type PackageFacts,
  type PackageFlow,
  type Problem,
} from '@tidemark/core';
import type { ChosenOrg } from './choose-org.ts';
import { canBeKey, definitionFor } from './field-types.ts';
import { grantAll } from './grant-all.ts';
import type { Grants } from './grants.ts';
import { developerName, labelOf, Names, pluralOf } from './names.ts';
import { byName, saidFields } from './open-questions.ts';
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
  const types = new Types(facts, names, problems);
  const objects = inOrder(use.objects.values()).flatMap((object) => madeObject(object, own, names, types) ?? []);
  const events = inOrder(use.events.values()).flatMap((event) => madeEvent(event, own, names, types) ?? []);
  if (problems.length > 0) throw new ConfigError([...problems, ...facts.unanswered]);
  const flows = [...own.flows].map(([name, flow]): [string, PackageFlow] => [name, { ...flow, event: names.local(flow.event) }]);
  return {
    ...{ name: own.name, developerName: developerName(own.name), namespace: own.namespace },
    ...{ apiVersion: org.settings.apiVersion, channel: org.settings.channel, objects, events },
    flows: new Map(flows.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    live: inOrder(use.objects.values()).flatMap(({ live, name }) => (live ? [name] : [])),
    ...grantAll(use, { objects, events, names, facts }),
  };
}

function madeObject(use: ObjectUse, own: PackageConfig, names: Names, types: Types): MadeObject | null {
  const said = byName(own.objects, use.name);
  const isMade = names.isOwn(use.name) && (said !== undefined || use.creates || use.edits);
  const written = types.written(use, saidFields(own.objects, use.name));
  for (const field of written) use.writes.add(field);
  const fields = types.fields(`package.objects.${use.name}`, use, [...(said?.fields.keys() ?? []), ...use.writes], said?.fields);
  if (!isMade && fields.size === 0) return null;
  const label = said?.label ?? labelOf(names.local(use.name));
  const nameIsText = [...use.writes].some((field) => field.toLowerCase() === 'name');
  const made = isMade ? { label, plural: said?.plural ?? pluralOf(label), nameIsText } : null;
  return { name: names.local(use.name), made, fields };
}

function madeEvent(use: EventUse, own: PackageConfig, names: Names, types: Types): MadeEvent | null {
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

type Used = Pick<ObjectUse, 'name' | 'writers'> & { readonly keys?: ReadonlySet<string> };

/** Where fields and their types come from: the configuration, else the org that has them, else the source that brings them. */
class Types {
  readonly #facts: PackageFacts;
  readonly #names: Names;
  readonly #problems: Problem[];

  constructor(facts: PackageFacts, names: Names, problems: Problem[]) {
    this.#facts = facts;
    this.#names = names;
    this.#problems = problems;
  }

  problem(place: string, message: string, hint: string): void {
    this.#problems.push({ place, message, hint, severity: 'error' });
  }

  /** Custom fields that the org has of it. */
  described(object: string): readonly string[] {
    const found = byName(this.#facts.objects, object)?.fields ?? [];
    return found.flatMap(({ name, definition }) => (definition === null ? [] : [name]));
  }

  /** What is written where the configuration names no field. */
  written({ writers }: Used, said: ReadonlyMap<string, unknown> | undefined): readonly string[] {
    return [...writers].flatMap(({ name, fields, to }) => {
      const arriving = this.#facts.arriving.get(name);
      if (fields !== null && to.key !== null) return [];
      if (arriving === undefined) return fields === null ? [...(said?.keys() ?? [])] : [];
      return fields === null ? arriving.fields.map((field) => field.name) : arriving.key;
    });
  }

  fields(
    place: string,
    use: Used,
    wanted: readonly string[],
    said: ReadonlyMap<string, FieldDefinition> | undefined,
  ): ReadonlyMap<string, FieldDefinition> {
    const found = new Map<string, FieldDefinition>();
    const seen = new Set<string>();
    for (const path of wanted) {
      // A parent that is named by an external id of its own is written as the reference to it.
      const name = path.includes('.') ? path.split('.')[0]!.replace(/__r$/i, '__c') : path;
      if (!this.#names.isOwn(name) || seen.has(name.toLowerCase())) continue;
      seen.add(name.toLowerCase());
      const definition = byName(said, name) ?? this.#describedAs(use.name, name) ?? this.#arrivingAs(use, path);
      if (definition === null) {
        this.problem(
          `${place}.fields.${name}`,
          'its type is told neither here nor by the org or the source',
          `write e.g. ${name}: Text(80)`,
        );
        continue;
      }
      found.set(this.#names.local(name), this.#isKey(use, name) ? this.#asKey(place, name, definition) : definition);
    }
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #describedAs(object: string, field: string): FieldDefinition | null {
    const fields = byName(this.#facts.objects, object)?.fields ?? [];
    return fields.find(({ name }) => name.toLowerCase() === field.toLowerCase())?.definition ?? null;
  }

  #arrivingAs({ writers }: Used, field: string): FieldDefinition | null {
    // What comes for a parent names it, and is not what refers to it.
    if (field.includes('.')) return null;
    for (const { name } of writers) {
      const schema = this.#facts.arriving.get(name)?.fields.find((each) => each.name.toLowerCase() === field.toLowerCase());
      const definition = schema === undefined ? null : definitionFor(schema);
      if (definition !== null) return definition;
    }
    return null;
  }

  #isKey({ keys }: Used, field: string): boolean {
    return [...(keys ?? [])].some((key) => key.toLowerCase() === field.toLowerCase());
  }

  #asKey(place: string, name: string, definition: FieldDefinition): FieldDefinition {
    if (!canBeKey(definition)) {
      this.problem(
        `${place}.fields.${name}`,
        `is ${definition.type}, by which no records are found`,
        'take Text, Number or Email',
      );
    }
    return { ...definition, unique: true, externalId: true };
  }
}

function inOrder<Use extends { readonly name: string }>(uses: Iterable<Use>): Use[] {
  return [...uses].sort((a, b) => (a.name < b.name ? -1 : 1));
}
