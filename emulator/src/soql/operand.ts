import type { FunctionExp } from '@jetstreamapp/soql-parser-js';
import type { Operand } from './syntax.ts';

export function path(text: string): Operand {
  return { kind: 'path', path: text.split('.'), text };
}

export function readFunction(fn: FunctionExp): Operand {
  return {
    kind: 'function',
    name: (fn.functionName ?? '').toUpperCase(),
    arguments: (fn.parameters ?? []).map((parameter) =>
      typeof parameter === 'string' ? path(parameter) : readFunction(parameter),
    ),
    text: fn.rawValue ?? fn.functionName ?? '',
  };
}
