import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';
import type { FieldPermission, ObjectPermission } from './permission-set.ts';

/** What decides how one user sees the schema. Asked again after each `forget` only. */
export interface ViewRules {
  object(object: ObjectDescribe): ObjectPermission;
  field(object: ObjectDescribe, field: FieldDescribe): FieldPermission;
}

export interface SchemaView {
  readonly schema: Schema;
  /** The rules have changed. */
  forget(): void;
}

/**
 * The schema as one user sees it: what may not be read is not in it, as if it did not exist, and what may not be written
 * is described so (REST API Developer Guide, "sObject Describe").
 *
 * Where nothing is withheld the object is the org's own, so that whoever compares them need not look further.
 */
export function viewSchema(schema: Schema, rules: ViewRules, now: () => number): SchemaView {
  let views = new WeakMap<ObjectDescribe, ObjectDescribe | null>();
  let readable = new Map<string, boolean>();
  let objects: { of: readonly ObjectDescribe[]; view: readonly ObjectDescribe[] } | undefined;
  let changedAtMs = 0;

  /** Whether an object is there for this user. What the org itself does not know, a field may still refer to. */
  const isReadable = (name: string): boolean => {
    const known = readable.get(name);
    if (known !== undefined) return known;
    const object = schema.object(name);
    const answer = object === undefined || rules.object(object).read;
    readable.set(name, answer);
    return answer;
  };

  const canSee = (object: ObjectDescribe, name: string): boolean => {
    const field = schema.field(object.name, name);
    return field !== undefined && rules.field(object, field).read;
  };

  function see(object: ObjectDescribe | undefined): ObjectDescribe | undefined {
    if (!object) return undefined;
    let view = views.get(object);
    if (view === undefined) {
      view = isReadable(object.name) ? seeObject(object) : null;
      views.set(object, view);
    }
    return view ?? undefined;
  }

  function seeObject(object: ObjectDescribe): ObjectDescribe {
    const may = rules.object(object);
    const fields = object.fields.flatMap((field) => seeField(object, field, may));
    const childRelationships = object.childRelationships.filter((relation) => {
      const child = schema.object(relation.childSObject);
      return child !== undefined && isReadable(child.name) && canSee(child, relation.field);
    });
    const view: ObjectDescribe = {
      ...object,
      createable: object.createable && may.create,
      updateable: object.updateable && may.edit,
      deletable: object.deletable && may.delete,
      undeletable: object.undeletable && may.delete,
      mergeable: object.mergeable && may.edit && may.delete,
      fields: same(fields, object.fields) ? object.fields : fields,
      childRelationships: same(childRelationships, object.childRelationships) ? object.childRelationships : childRelationships,
    };
    const changed = (Object.keys(view) as (keyof ObjectDescribe)[]).some((key) => view[key] !== object[key]);
    return changed ? view : object;
  }

  function seeField(object: ObjectDescribe, field: FieldDescribe, may: ObjectPermission): FieldDescribe[] {
    const permission = rules.field(object, field);
    if (!permission.read) return [];
    const referenceTo = field.referenceTo.filter(isReadable);
    const sees = (name: string | null) => (name !== null && canSee(object, name) ? name : null);
    const view: FieldDescribe = {
      ...field,
      createable: field.createable && permission.edit && may.create,
      updateable: field.updateable && permission.edit && may.edit,
      referenceTo: same(referenceTo, field.referenceTo) ? field.referenceTo : referenceTo,
      // A lookup whose other side is not there cannot be followed; its id is all that is left.
      relationshipName: field.referenceTo.length > 0 && referenceTo.length === 0 ? null : field.relationshipName,
      compoundFieldName: sees(field.compoundFieldName),
      controllerName: sees(field.controllerName),
    };
    const changed = (Object.keys(view) as (keyof FieldDescribe)[]).some((key) => view[key] !== field[key]);
    return [changed ? view : field];
  }

  const forgetViews = () => {
    views = new WeakMap();
    readable = new Map();
    objects = undefined;
  };
  // A new object may be one that others refer to, which are not told of it.
  schema.onChange(forgetViews);

  const fieldsOf = new WeakMap<ObjectDescribe, Map<string, FieldDescribe>>();
  function field(object: string, name: string): FieldDescribe | undefined {
    const base = schema.object(object);
    const view = see(base);
    if (!view || view === base) return view && schema.field(object, name);
    let fields = fieldsOf.get(view);
    if (!fields) {
      fields = new Map(view.fields.map((entry) => [entry.name.toLowerCase(), entry]));
      fieldsOf.set(view, fields);
    }
    return fields.get(name.toLowerCase());
  }

  return {
    forget() {
      forgetViews();
      changedAtMs = now();
    },
    schema: {
      get objects() {
        const of = schema.objects;
        if (objects?.of !== of) objects = { of, view: of.flatMap((object) => see(object) ?? []) };
        return objects.view;
      },
      get changedAtMs() {
        return Math.max(schema.changedAtMs, changedAtMs);
      },
      object: (name) => see(schema.object(name)),
      field,
      byKeyPrefix: (prefix) => see(schema.byKeyPrefix(prefix)),
      add: (object, links) => schema.add(object, links),
      removeField: (object, name) => schema.removeField(object, name),
      onChange: (listener) => schema.onChange(listener),
    },
  };
}

const same = <T>(a: readonly T[], b: readonly T[]) => a.length === b.length && a.every((item, i) => item === b[i]);
