import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { SourceProblem } from './problems.ts';

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  // Values stay text: `<length>080</length>` and `<fullName>1e3</fullName>` must not become numbers.
  parseTagValue: false,
  removeNSPrefix: true,
});

type Node = string | { [name: string]: Node | Node[] };

/** One element of a metadata file. It knows its place, for errors, and what was read from it, so that the rest can be reported. */
export class Element {
  readonly file: string;
  readonly path: string;
  private readonly content: Record<string, Node | Node[]>;
  private readonly read = new Set<string>();

  constructor(file: string, path: string, node: Node) {
    this.file = file;
    this.path = path;
    this.content = typeof node === 'string' ? {} : node;
  }

  /** The problem of a child element, to be thrown. */
  problem(name: string, message: string): SourceProblem {
    return new SourceProblem({ file: this.file, element: name === '' ? this.path : `${this.path}.${name}`, message });
  }

  has(name: string): boolean {
    return this.nodes(name).length > 0;
  }

  text(name: string): string | undefined {
    const [node, ...more] = this.nodes(name);
    if (node === undefined) return undefined;
    if (more.length > 0) throw this.problem(name, 'occurs more than once');
    if (typeof node !== 'string') throw this.problem(name, 'holds elements where text was expected');
    return node;
  }

  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === '') throw this.problem(name, 'is missing');
    return value;
  }

  boolean(name: string): boolean {
    const value = this.text(name);
    if (value === undefined || value === 'false') return false;
    if (value === 'true') return true;
    throw this.problem(name, `is ${JSON.stringify(value)}: true or false was expected`);
  }

  integer(name: string, min: number, max: number, fallback?: number): number {
    const value = this.text(name);
    if (value === undefined) {
      if (fallback === undefined) throw this.problem(name, 'is missing');
      return fallback;
    }
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      throw this.problem(name, `is ${JSON.stringify(value)}: a whole number from ${min} to ${max} was expected`);
    }
    return number;
  }

  texts(name: string): string[] {
    return this.nodes(name).map((node) => {
      if (typeof node !== 'string') throw this.problem(name, 'holds elements where text was expected');
      return node;
    });
  }

  child(name: string): Element | undefined {
    return this.children(name)[0];
  }

  children(name: string): Element[] {
    return this.nodes(name).map((node) => new Element(this.file, `${this.path}.${name}`, node));
  }

  /** Names that nobody asked for. */
  unread(): string[] {
    return Object.keys(this.content).filter((name) => !this.read.has(name));
  }

  private nodes(name: string): Node[] {
    this.read.add(name);
    const value = Object.hasOwn(this.content, name) ? this.content[name] : undefined;
    if (value === undefined) return [];
    return Array.isArray(value) ? value : [value];
  }
}

/** Parses a metadata file whose root must be `root`. */
export function parseMetadata(file: string, xml: string, root: string): Element {
  const valid = XMLValidator.validate(xml);
  if (valid !== true) {
    const { msg, line, col } = valid.err;
    throw new SourceProblem({ file, element: '', message: `is not well-formed XML at ${line}:${col}: ${msg}` });
  }
  const parsed = parser.parse(xml) as Record<string, Node>;
  const found = Object.keys(parsed);
  const node = parsed[root];
  if (node === undefined || found.length !== 1) {
    throw new SourceProblem({ file, element: found[0] ?? '', message: `is the root: ${root} was expected` });
  }
  return new Element(file, root, node);
}
