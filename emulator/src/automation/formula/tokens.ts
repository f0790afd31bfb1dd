import { FormulaError } from './types.ts';

export type Token =
  | { kind: 'number'; value: number; at: number }
  | { kind: 'text'; value: string; at: number }
  | { kind: 'name'; name: string; at: number }
  | { kind: 'sign'; sign: string; at: number }
  | { kind: 'end'; at: number };

const shapes =
  /(?<blank>\s+|\/\*[\s\S]*?\*\/)|(?<number>\d+(?:\.\d+)?|\.\d+)|(?<text>"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*')|(?<name>\$?[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*)|(?<sign><>|<=|>=|!=|==|&&|\|\||[-+*/^&<>=!(),])/y;

/** @throws {FormulaError} */
export function readTokens(formula: string): Token[] {
  const tokens: Token[] = [];
  shapes.lastIndex = 0;
  while (shapes.lastIndex < formula.length) {
    const at = shapes.lastIndex;
    const found = shapes.exec(formula)?.groups;
    if (!found) throw new FormulaError(`Syntax error. Found '${formula[at]}' at ${at + 1}`);
    if (found.number !== undefined) tokens.push({ kind: 'number', value: Number(found.number), at });
    else if (found.text !== undefined) tokens.push({ kind: 'text', value: unescapeText(found.text.slice(1, -1)), at });
    else if (found.name !== undefined) tokens.push({ kind: 'name', name: found.name, at });
    else if (found.sign !== undefined) tokens.push({ kind: 'sign', sign: found.sign, at });
  }
  tokens.push({ kind: 'end', at: formula.length });
  return tokens;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

const unescapeText = (raw: string) => raw.replaceAll(/\\([\s\S])/g, (_, character: string) => escapes[character] ?? character);
