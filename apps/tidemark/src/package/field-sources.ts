import type { FieldDefinition, PackageFacts, Problem } from '@tidemark/core';
import { canBeKey, definitionFor } from './field-types.ts';
import { byName, type Names } from './names.ts';
import type { ObjectUse } from './org-use.ts';

type Used = Pick<ObjectUse, 'name' | 'writers'> & { readonly keys?: ReadonlySet<string> };

/** Where fields and their types come from: the configuration, else the org that has them, else the source that brings them. */
export class FieldSources {
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
    return [...writers].flatMap(({ name, fields }) => {
      if (fields !== null) return [];
      return this.#facts.arriving.get(name)?.fields.map((field) => field.name) ?? [...(said?.keys() ?? [])];
    });
  }

  /** Fields by which records are found where the configuration names none: those that identify a record in the source. */
  keys({ unkeyed }: ObjectUse): readonly string[] {
    return [...unkeyed].flatMap(({ name }) => {
      const arriving = this.#facts.arriving.get(name);
      if (arriving !== undefined) return arriving.key.filter((key) => key.toLowerCase() !== 'id');
      this.problem(
        `syncs.${name}.to`,
        'by what records are found is told neither here nor by the source',
        'write key: External_Id__c',
      );
      return [];
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
