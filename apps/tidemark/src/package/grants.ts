/** What somebody may do with the records of an object, besides reading them. */
export interface ObjectGrant {
  readonly create: boolean;
  readonly edit: boolean;
  readonly delete: boolean;
  /** Reads records whoever owns them: hidden ones would be holes. */
  readonly viewAll: boolean;
}

/** What one permission set lets somebody do. */
export class Grants {
  readonly #objects = new Map<string, ObjectGrant>();
  readonly #fields = new Map<string, boolean>();

  object(name: string, { create = false, edit = false, delete: remove = false, viewAll = false }: Partial<ObjectGrant>): void {
    const known = this.#objects.get(name);
    this.#objects.set(name, {
      create: create || known?.create === true,
      // Whoever may delete has to be able to edit.
      edit: edit || remove || known?.edit === true,
      delete: remove || known?.delete === true,
      viewAll: viewAll || known?.viewAll === true,
    });
  }

  field(object: string, name: string, editable: boolean): void {
    const field = `${object}.${name}`;
    this.#fields.set(field, editable || this.#fields.get(field) === true);
  }

  get objects(): readonly (readonly [name: string, grant: ObjectGrant])[] {
    return sorted(this.#objects);
  }

  /** `Account.Website`, and whether it may be edited. */
  get fields(): readonly (readonly [name: string, editable: boolean])[] {
    return sorted(this.#fields);
  }
}

function sorted<Value>(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
