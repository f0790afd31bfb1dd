import type { AnyConnector, JsonSchema } from '@tidemark/core';
import { inputSchema } from '@tidemark/core';
import type { Ask } from './ask.ts';

/** Where values come from: `--set`, then the environment, then a person, then the connector's own default. */
export interface ValueSources {
  /** `crm.auth.flow` → value. What was used is taken out, so that a mistyped path is noticed. */
  readonly set: Map<string, string>;
  readonly env: NodeJS.ProcessEnv;
  readonly ask: Ask | null;
}

export interface FilledConnection {
  readonly name: string;
  readonly type: string;
  /** As it goes into the file: secrets as `${NAME}`. */
  readonly block: { readonly [key: string]: unknown };
  /** Variables that the block names, with what was typed for them; null when they are set already. */
  readonly variables: ReadonlyMap<string, string | null>;
  /** What nobody gave, as a user would give it. */
  readonly lacking: readonly string[];
}

/** Asks for what a connector's own schema says that it needs: a new connector needs nothing here. */
export async function fillConnection(name: string, connector: AnyConnector, sources: ValueSources): Promise<FilledConnection> {
  const filler = new Filler(name, connector.name, sources);
  const block = await filler.block(inputSchema(connector.config), [], true);
  return { name, type: connector.name, block, variables: filler.variables, lacking: filler.lacking };
}

class Filler {
  readonly variables = new Map<string, string | null>();
  readonly lacking: string[] = [];
  readonly #connection: string;
  readonly #type: string;
  readonly #sources: ValueSources;

  constructor(connection: string, type: string, sources: ValueSources) {
    this.#connection = connection;
    this.#type = type;
    this.#sources = sources;
  }

  async block(schema: JsonSchema, path: readonly string[], required: boolean): Promise<{ [key: string]: unknown }> {
    const chosen = await this.#branch(schema, path);
    const block: { [key: string]: unknown } = {};
    if (chosen === null) return block;
    for (const [key, property] of Object.entries(chosen.properties ?? {})) {
      const needed = required && (chosen.required ?? []).includes(key) && property.default === undefined;
      const value = await this.#value(property, [...path, key], needed);
      if (value !== undefined) block[key] = value;
    }
    return block;
  }

  /** Of several ways to log in, the one that was named, or that the person picks. */
  async #branch(schema: JsonSchema, path: readonly string[]): Promise<JsonSchema | null> {
    const branches = schema.anyOf ?? schema.oneOf;
    if (branches === undefined) return schema;
    const tag = Object.keys(branches[0]?.properties ?? {}).find((key) => branches[0]?.properties?.[key]?.const !== undefined);
    if (tag === undefined) return branches.find((branch) => branch.properties !== undefined) ?? null;
    const names = branches.map((branch) => String(branch.properties?.[tag]?.const));
    const at = this.#address([...path, tag]);
    const { set, ask } = this.#sources;
    const given =
      take(set, at) ?? (ask === null ? this.#guess(branches, names) : await this.#pick(ask, schema, at, branches, names));
    const index = names.indexOf(given ?? '');
    if (index < 0) {
      const needs = this.#needs(branches[0]!).join(' and ');
      this.lacking.push(`${at}: --set ${at}=… with one of ${names.join(', ')}; or ${needs} in the environment for ${names[0]}`);
    }
    return branches[index] ?? null;
  }

  /** What one of several ways asks for, as variables. */
  #needs({ required = [], properties = {} }: JsonSchema): readonly string[] {
    return required.filter((key) => properties[key]?.const === undefined).map((key) => this.#variable(key));
  }

  #pick(ask: Ask, schema: JsonSchema, at: string, branches: readonly JsonSchema[], names: readonly string[]): Promise<string> {
    const about = names.flatMap((name, i) => {
      const { description } = branches[i]!;
      return description === undefined ? [] : [[name, description] as const];
    });
    return ask.choose(asked(schema, at), names, undefined, new Map(about));
  }

  /** Without anybody to ask: the first branch all of whose needs are in the environment. */
  #guess(branches: readonly JsonSchema[], names: readonly string[]): string | undefined {
    return names.find((_, i) => {
      const needs = this.#needs(branches[i]!);
      return needs.length > 0 && needs.every((variable) => this.#sources.env[variable]);
    });
  }

  async #value(schema: JsonSchema, path: readonly string[], needed: boolean): Promise<unknown> {
    if (schema.const !== undefined) return schema.const;
    const at = this.#address(path);
    if (isBlock(schema)) {
      const wanted = needed || [...this.#sources.set.keys()].some((key) => key.startsWith(`${at}.`));
      return wanted ? this.block(schema, path, needed) : undefined;
    }
    const { set, env, ask } = this.#sources;
    const variable = this.#variable(path.at(-1)!);
    const given = take(set, at);
    if (given !== undefined && !schema.secret) return typed(given, schema);
    if (given !== undefined) this.lacking.push(`${at}: put it into the environment as ${variable}; command lines are not secret`);
    const takesVariable = schema.secret === true || needed || path.length > 1 || isAddress(path);
    if (takesVariable && env[variable]) {
      this.variables.set(variable, null);
      return `\${${variable}}`;
    }
    // Within a block that was chosen, what is optional may still be wanted: a security token, say.
    if (ask !== null && (needed || path.length > 1 || isAddress(path))) return this.#question(ask, schema, at, variable, needed);
    if (needed && suggestion(at) !== undefined) return suggestion(at);
    if (needed) {
      const way = schema.secret ? `${variable} in the environment` : `--set ${at}=… or ${variable} in the environment`;
      this.lacking.push(`${at}: ${way}`);
    }
    return undefined;
  }

  async #question(ask: Ask, schema: JsonSchema, at: string, variable: string, needed: boolean): Promise<unknown> {
    const fallback = schema.default === undefined ? suggestion(at) : String(schema.default);
    const words = asked(schema, at);
    const message = needed || fallback !== undefined ? words : `${words}, empty to leave it out`;
    if (schema.secret) {
      const secret = await ask.secret(message);
      if (secret === '' && !needed) return undefined;
      this.variables.set(variable, secret);
      return `\${${variable}}`;
    }
    if (schema.enum !== undefined) return ask.choose(message, schema.enum.map(String));
    const text = await ask.text(message, fallback);
    return text === '' && !needed ? undefined : typed(text, schema);
  }

  #address(path: readonly string[]): string {
    return [this.#connection, ...path].join('.');
  }

  /** `SF_CLIENT_SECRET`, `DATABASE_URL`: what people call them already. */
  #variable(key: string): string {
    if (this.#type === 'postgres' && key === 'url') return 'DATABASE_URL';
    const prefix = this.#type === 'salesforce' ? 'SF' : this.#connection;
    return `${prefix}_${key.replace(/([a-z0-9])([A-Z])/g, '$1_$2')}`.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
  }
}

/** What is asked in words, and the key that the answer gets in the file. */
function asked(schema: JsonSchema, at: string): string {
  return schema.description === undefined ? `${at}:` : `${schema.description.replace(/\.$/, '')} (${at}):`;
}

function take(set: Map<string, string>, key: string): string | undefined {
  const value = set.get(key);
  set.delete(key);
  return value;
}

function isBlock(schema: JsonSchema): boolean {
  return (
    schema.properties !== undefined || (schema.anyOf ?? schema.oneOf ?? []).some((branch) => branch.properties !== undefined)
  );
}

/** Where a system is differs from one user to the next, even where there is a default. */
function isAddress(path: readonly string[]): boolean {
  return path.length === 1 && /(?:url|path|file|folder)$/i.test(path[0]!);
}

/** A database of one's own may lie anywhere: here it is found. */
function suggestion(at: string): string | undefined {
  return /\.(?:path|file)$/.test(at) ? './tidemark.db' : undefined;
}

function typed(text: string, schema: JsonSchema): unknown {
  if ((schema.type === 'number' || schema.type === 'integer') && text.trim() !== '' && Number.isFinite(Number(text)))
    return Number(text);
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
