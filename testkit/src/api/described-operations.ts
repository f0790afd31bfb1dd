import fc from 'fast-check';
import { expect } from 'vitest';

/** An API as a test asks it. */
export interface AskedApi {
  ask(
    method: string,
    path: string,
    asked?: { readonly as?: null; readonly body?: unknown; readonly headers?: Record<string, string> },
    // biome-ignore lint/suspicious/noExplicitAny: what an answer looks like is what tests find out.
  ): Promise<{ readonly status: number; readonly body: any }>;
}

/** One operation of the description, at a path that there is. */
export interface DescribedOperation {
  readonly method: string;
  readonly path: string;
  /** What of the path stood in braces. */
  readonly named: readonly string[];
  readonly operation: {
    readonly summary: string;
    readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
    readonly responses: object;
  };
}

interface Described {
  readonly paths: { readonly [path: string]: { readonly [method: string]: DescribedOperation['operation'] } };
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Every operation that is described, with names for what a path leaves open. */
export async function describedOperations(api: AskedApi, names: Readonly<Record<string, string>>): Promise<DescribedOperation[]> {
  const described: Described = (await api.ask('GET', '/api/v1/openapi.json', { as: null })).body;
  return Object.entries(described.paths).flatMap(([template, methods]) => {
    const open = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const path = open.reduce((at, name) => at.replace(`{${name}}`, encodeURIComponent(names[name]!)), template);
    const named = open.map((name) => encodeURIComponent(names[name]!));
    return Object.entries(methods)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, named, operation }));
  });
}

interface Fuzz {
  /** What bodies are made of beside anything. */
  readonly names: readonly string[];
  readonly values: fc.Arbitrary<unknown>;
  /** Headers and parameters that mean something here. */
  readonly headers?: fc.Arbitrary<Record<string, string>>;
  readonly query?: fc.Arbitrary<string>;
  readonly numRuns: number;
}

/** Whatever is sent is answered, and never with a fault of ours. */
export async function answersAnything(api: AskedApi, operations: readonly DescribedOperation[], fuzz: Fuzz): Promise<void> {
  const text = fc.oneof(fc.string(), fc.constantFrom('\u0000', '🐟', '9'.repeat(30), "'; drop table runs; --", '../..'));
  const made = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.boolean(), fc.integer(), fuzz.values);
  const json = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.dictionary(fc.constantFrom(...fuzz.names), made));
  const query = fuzz.query ?? text.map((each) => `limit=${encodeURIComponent(each)}&before=${encodeURIComponent(each)}`);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...operations),
      ...[json, text, query, fuzz.headers ?? fc.constant({})],
      async ({ method, path, named }, body, name, asked, headers) => {
        const odd = encodeURIComponent(name === '' || /^\.+$/.test(name) ? '-' : name);
        const at = named.length === 0 ? -1 : path.lastIndexOf(`/${named.at(-1)}`) + 1;
        const elsewhere = at <= 0 ? path : `${path.slice(0, at)}${odd}${path.slice(at + named.at(-1)!.length)}`;
        for (const to of [path, elsewhere, `${path}?${asked}`]) {
          const { status } = await api.ask(method, to, { headers, body: method === 'GET' ? undefined : body });
          expect([method, to, status < 500 || status === 503]).toEqual([method, to, true]);
        }
      },
    ),
    { numRuns: fuzz.numRuns },
  );
}
