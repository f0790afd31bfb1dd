import type { FieldDeclaration } from './fields.ts';
import type { ChildLink, ObjectDescribe } from './types.ts';

/** How the references of an object look from their parents, by field name. */
export type ChildLinks = Readonly<Record<string, ChildLink>>;

export interface ObjectDeclaration {
  object: ObjectDescribe;
  links: ChildLinks;
}

export type Trait =
  | 'createable'
  | 'updateable'
  | 'deletable'
  | 'queryable'
  | 'retrieveable'
  | 'searchable'
  | 'replicateable'
  | 'undeletable'
  | 'mergeable'
  | 'layoutable'
  | 'triggerable'
  | 'feedEnabled'
  | 'mruEnabled';

/** What users work with every day: everything but merging. */
const full: readonly Trait[] = [
  'createable',
  'updateable',
  'deletable',
  'queryable',
  'retrieveable',
  'searchable',
  'replicateable',
  'undeletable',
  'layoutable',
  'triggerable',
  'feedEnabled',
  'mruEnabled',
];

export interface ObjectOptions {
  label: string;
  /** `label` with an s when absent. */
  plural?: string;
  keyPrefix: string | null;
  custom?: boolean;
  /** Everything of a full business object is true unless listed here. */
  without?: readonly Trait[];
  with?: readonly Trait[];
}

/** An object with its fields, in the order in which describe shows them. Child relationships are derived by the schema. */
export function declareObject(name: string, options: ObjectOptions, fields: readonly FieldDeclaration[]): ObjectDeclaration {
  const has = (trait: Trait) =>
    options.with?.includes(trait) === true || (full.includes(trait) && options.without?.includes(trait) !== true);
  const links: Record<string, ChildLink> = {};
  for (const { describe, link } of fields) if (link) links[describe.name] = link;
  return {
    links,
    object: {
      name,
      label: options.label,
      labelPlural: options.plural ?? `${options.label}s`,
      keyPrefix: options.keyPrefix,
      custom: options.custom ?? false,
      customSetting: false,
      createable: has('createable'),
      updateable: has('updateable'),
      deletable: has('deletable'),
      queryable: has('queryable'),
      retrieveable: has('retrieveable'),
      searchable: has('searchable'),
      replicateable: has('replicateable'),
      undeletable: has('undeletable'),
      mergeable: has('mergeable'),
      layoutable: has('layoutable'),
      triggerable: has('triggerable'),
      feedEnabled: has('feedEnabled'),
      mruEnabled: has('mruEnabled'),
      fields: fields.map((declared) => declared.describe),
      childRelationships: [],
    },
  };
}
