import { type ZodType, z } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import type { Path } from './located-yaml.ts';

/** JSON Schema as `z.toJSONSchema` writes it, as far as it is walked here. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema | readonly JsonSchema[] | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly default?: unknown;
  readonly secret?: boolean;
  /** How something is read or written, and not what: it makes no other rows. */
  readonly manner?: boolean;
}

const inputSchemas = new WeakMap<ZodType, JsonSchema>();

/** What the user may write, not what the parser makes of it. */
export function inputSchema(schema: ZodType): JsonSchema {
  const known = inputSchemas.get(schema);
  if (known !== undefined) return known;
  const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', target: 'draft-7', reused: 'inline' }) as JsonSchema;
  inputSchemas.set(schema, made);
  return made;
}

export interface UnknownKey {
  readonly path: Path;
  readonly key: string;
  readonly meant: string | null;
  readonly known: readonly string[];
}

/** Keys that no branch of the schema knows. A plain `z.object` drops them in silence; a user must hear of them. */
export function unknownKeys(schema: JsonSchema, value: unknown): UnknownKey[] {
  const found: UnknownKey[] = [];
  walk([schema], value, [], (schemas, at, path) => {
    if (!isBlock(at)) return;
    const blocks = schemas.filter((s) => s.properties !== undefined || s.additionalProperties !== undefined);
    if (blocks.length === 0 || blocks.length < schemas.length) return;
    if (blocks.some((s) => s.additionalProperties !== undefined && s.additionalProperties !== false)) return;
    const known = [...new Set(blocks.flatMap((s) => Object.keys(s.properties ?? {})))];
    for (const key of Object.keys(at)) {
      if (!known.includes(key)) found.push({ path, key, meant: didYouMean(key, known), known });
    }
  });
  return found;
}

/** Paths of values whose schema carries `.meta({ secret: true })`. */
export function secretPaths(schema: JsonSchema, value: unknown): Path[] {
  const found: Path[] = [];
  walk([schema], value, [], (schemas, at, path) => {
    if (at !== null && typeof at !== 'object' && schemas.some((s) => s.secret === true)) found.push(path);
  });
  return found;
}

/** The schema's own words about a path, for a key that is missing. */
export function describePath(schema: JsonSchema, value: unknown, path: Path): string | null {
  let schemas = candidates([schema], value);
  let at = value;
  for (const part of path) {
    const described = children(schemas, part);
    const words = described.find((s) => s.description !== undefined)?.description;
    at = isBlock(at) || Array.isArray(at) ? (at as Record<string | number, unknown>)[part] : undefined;
    if (at === undefined) return words ?? null;
    schemas = candidates(described, at);
  }
  return schemas.find((s) => s.description !== undefined)?.description ?? null;
}

function walk(
  schemas: readonly JsonSchema[],
  value: unknown,
  path: Path,
  visit: (schemas: readonly JsonSchema[], value: unknown, path: Path) => void,
): void {
  const fitting = candidates(schemas, value);
  visit(fitting, value, path);
  const parts: Iterable<[string | number, unknown]> = Array.isArray(value)
    ? value.entries()
    : isBlock(value)
      ? Object.entries(value)
      : [];
  for (const [part, item] of parts) walk(children(fitting, part), item, [...path, part], visit);
}

/** The branches that a value may be meant for: those whose constants it does not contradict. */
function candidates(schemas: readonly JsonSchema[], value: unknown): JsonSchema[] {
  return schemas.flatMap((schema) => {
    const branches = schema.anyOf ?? schema.oneOf;
    if (branches !== undefined) {
      const fitting = branches.filter((branch) => !contradicts(branch, value));
      // A marking on the union holds for its branches.
      const marked = fitting.map((branch) => (schema.secret === true ? { ...branch, secret: true } : branch));
      return candidates(marked, value);
    }
    if (schema.allOf !== undefined) {
      const parts = candidates(schema.allOf, value);
      const properties = Object.assign({}, schema.properties, ...parts.map((p) => p.properties ?? {})) as Record<
        string,
        JsonSchema
      >;
      return [{ ...schema, properties }];
    }
    return [schema];
  });
}

function contradicts(branch: JsonSchema, value: unknown): boolean {
  if (isBlock(value)) {
    if (branch.type !== undefined && branch.type !== 'object') return true;
    return Object.entries(branch.properties ?? {}).some(
      ([key, s]) => s.const !== undefined && key in value && value[key] !== s.const,
    );
  }
  return Array.isArray(value)
    ? branch.type !== undefined && branch.type !== 'array'
    : branch.type === 'object' || branch.type === 'array';
}

function children(schemas: readonly JsonSchema[], part: string | number): JsonSchema[] {
  return schemas.flatMap((schema) => {
    if (typeof part === 'number') {
      const { items } = schema;
      const item = Array.isArray(items) ? (items as readonly JsonSchema[])[part] : items;
      return typeof item === 'object' ? [item as JsonSchema] : [];
    }
    const property = Object.hasOwn(schema.properties ?? {}, part) ? schema.properties![part] : undefined;
    if (property !== undefined) return [property];
    return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  });
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
