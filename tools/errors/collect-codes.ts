import { parseAst } from 'vitest/node';

/** A file of the workspace; `path` from its root. */
export interface CodeFile {
  readonly path: string;
  readonly text: string;
}

/** What the parser answers: every node has a type, and its children under names of their own. */
interface Node {
  readonly type: string;
  readonly [name: string]: unknown;
}

/**
 * The texts that stand where an error code stands, each with the first file that says it. A code stands
 * in a property, variable or parameter named `code`, or in a type called `…Code`; wherever it may be one of several
 * (`cond ? 'a' : 'b'`, `'a' | 'b'`), each of them counts.
 */
export function collectCodes(files: readonly CodeFile[]): ReadonlyMap<string, string> {
  const parsed = files.map(({ path, text }) => ({ path, program: parseAst(text, { lang: 'ts' }, path) as unknown as Node }));
  const declared = parsed.map(({ program }) => takersIn(program));
  const everywhere = new Map(declared.flatMap((each) => [...each]));

  const found = new Map<string, string>();
  for (const [i, { path, program }] of parsed.entries()) {
    const imported = [...importedBy(program)].flatMap((name) => {
      const place = everywhere.get(name);
      return place === undefined ? [] : [[name, place] as const];
    });
    const takers = new Map([...imported, ...declared[i]!]);
    walk(program, (node) => {
      for (const code of codesAt(node, takers)) if (!found.has(code)) found.set(code, path);
    });
  }
  return found;
}

/** The functions of a file that take a code, and which of their parameters it is. */
function takersIn(program: Node): ReadonlyMap<string, number> {
  const takers = new Map<string, number>();
  walk(program, (node) => {
    const name = nameOf(node.id);
    const place = placeOfCode(node);
    if (name !== undefined && place >= 0) takers.set(name, place);
  });
  return takers;
}

function importedBy(program: Node): ReadonlySet<string> {
  const names = new Set<string>();
  walk(program, (node) => {
    if (node.type === 'ImportSpecifier') names.add(nameOf(node.local) ?? '');
  });
  return names;
}

/** Of a function: which of its parameters is named `code`; -1 where none is. */
function placeOfCode({ type, params }: Node): number {
  if (type !== 'FunctionDeclaration') return -1;
  return (params as readonly Node[]).findIndex((param) => nameOf(param) === 'code');
}

function codesAt(node: Node, takers: ReadonlyMap<string, number>): readonly string[] {
  switch (node.type) {
    case 'Property':
    case 'PropertyDefinition':
    case 'TSPropertySignature':
      return nameOf(node.key) === 'code' ? [...literals(node.value), ...literals(node.typeAnnotation)] : [];
    case 'VariableDeclarator':
      return nameOf(node.id) === 'code' ? literals(node.init) : [];
    case 'TSTypeAliasDeclaration':
      return /Code$/.test(nameOf(node.id) ?? '') ? literals(node.typeAnnotation) : [];
    case 'CallExpression': {
      const place = takers.get(nameOf(node.callee) ?? '');
      return place === undefined ? [] : literals((node.arguments as readonly unknown[])[place]);
    }
    default:
      return [];
  }
}

/** The texts that an expression, or a type, may be. */
function literals(value: unknown): readonly string[] {
  if (!isNode(value)) return [];
  switch (value.type) {
    case 'Literal':
      return typeof value.value === 'string' ? [value.value] : [];
    case 'ConditionalExpression':
      return [...literals(value.consequent), ...literals(value.alternate)];
    case 'TSAsExpression':
      return literals(value.expression);
    case 'TSTypeAnnotation':
      return literals(value.typeAnnotation);
    case 'TSLiteralType':
      return literals(value.literal);
    case 'TSUnionType':
      return (value.types as readonly unknown[]).flatMap(literals);
    default:
      return [];
  }
}

function nameOf(value: unknown): string | undefined {
  return isNode(value) && value.type === 'Identifier' ? String(value.name) : undefined;
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const each of value) walk(each, visit);
  if (!isNode(value)) return;
  visit(value);
  for (const child of Object.values(value)) if (typeof child === 'object') walk(child, visit);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}
