/** What a system tells of a field besides what it takes to copy it: for those who program against the copy. */
export interface FieldDetails {
  readonly label?: string;
  readonly help?: string;
  /** The system's own word for its type, e.g. `picklist`. */
  readonly kind: string;
  /** What it may hold, in the system's order; absent when that is open. */
  readonly values?: FieldChoices;
  /** Datasets of which it holds a key. */
  readonly references?: readonly string[];
  /** The system works it out: nobody writes it. */
  readonly calculated?: boolean;
  /** A record has it from its beginning on, if it was not made before that was asked. */
  readonly required?: boolean;
  readonly unique?: boolean;
}

export interface FieldChoices {
  readonly values: readonly string[];
  /** It takes no other value. */
  readonly closed: boolean;
  /** It holds several of them at once, as one text with this between them. */
  readonly separator?: string;
}
