/** Node of JSONata's syntax tree, as far as we read it. */
export interface Ast {
  readonly type: string;
  readonly value?: unknown;
  readonly steps?: readonly Ast[];
  readonly stages?: readonly unknown[];
  readonly group?: unknown;
  readonly keepArray?: boolean;
  readonly keepSingletonArray?: boolean;
  readonly lhs?: Ast;
  readonly rhs?: Ast;
  readonly condition?: Ast;
  readonly then?: Ast;
  readonly else?: Ast;
  readonly procedure?: Ast;
  readonly arguments?: readonly Ast[];
  readonly expressions?: readonly Ast[];
  readonly expression?: Ast;
  readonly position?: number;
}

/** A path of names, joined by dots; null for anything that is not one. */
export function fieldName(ast: Ast): string | null {
  if (ast.type !== 'path' || ast.group !== undefined || ast.keepSingletonArray === true) return null;
  const steps = ast.steps ?? [];
  if (!steps.every((step) => step.type === 'name' && step.stages === undefined && step.keepArray !== true)) return null;
  return steps.map((step) => String(step.value)).join('.');
}
