import type { FieldDefinition } from '../model/object-definition.ts';

/** What is written into an org's package, as far as the configuration says it. */
export interface PackageConfig {
  readonly name: string;
  /** Null: an unlocked package. */
  readonly namespace: string | null;
  /** Null: the only org that there is. */
  readonly connection: string | null;
  readonly objects: ReadonlyMap<string, PackageObject>;
  readonly events: ReadonlyMap<string, PackageEvent>;
  readonly flows: ReadonlyMap<string, PackageFlow>;
  readonly notes: string | null;
}

export interface PackageObject {
  readonly label: string | null;
  readonly plural: string | null;
  readonly fields: ReadonlyMap<string, FieldDefinition>;
}

export interface PackageEvent extends PackageObject {
  readonly publish: 'after-commit' | 'immediately';
}

/** Publishes an event when a record meets a formula. */
export interface PackageFlow {
  readonly label: string | null;
  readonly object: string;
  readonly on: readonly ('create' | 'update')[];
  /** Over the record's own fields; null for every record. */
  readonly when: string | null;
  readonly event: string;
  /** Field of the event: what it holds. */
  readonly fields: ReadonlyMap<string, FlowValue>;
  readonly active: boolean;
}

export type FlowValue =
  | { readonly kind: 'field'; readonly field: string }
  | { readonly kind: 'formula'; readonly formula: string };
