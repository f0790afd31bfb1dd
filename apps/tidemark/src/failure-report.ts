import { ConfigError, type Problem, SyncError, scrub } from '@tidemark/core';
import type { Paint } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface FailureReport {
  readonly exitCode: 1 | 2 | 130;
  /** For `--json`. */
  readonly document: {
    readonly error: { code: string; message: string; hint?: string | undefined; problems?: readonly Problem[] };
  };
}

/** The user's own wish, and whatever the work under way made of it. */
export class InterruptedError extends Error {}

/** What an error means to whoever called the command. */
export function reportFailure(error: unknown): FailureReport {
  if (error instanceof InterruptedError)
    return { exitCode: 130, document: { error: { code: 'stopped', message: 'stopped by request' } } };
  if (error instanceof ConfigError) {
    const message = 'the configuration is not valid';
    return { exitCode: 2, document: { error: { code: error.code, message, problems: error.problems } } };
  }
  if (error instanceof SyncError) {
    const hint = error.hint === undefined ? {} : { hint: scrub(error.hint) };
    return {
      exitCode: error instanceof UsageError ? 2 : 1,
      document: { error: { code: error.code, message: scrub(error.message), ...hint } },
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = 'this is not supposed to happen: run it again with --verbose and report what it prints';
  return { exitCode: 1, document: { error: { code: 'unexpected', message: scrub(message), hint } } };
}

/** The same for people: what is wrong, where, what to do, and a code to search for. */
export function renderFailure({ document }: FailureReport, paint: Paint): string {
  const { code, message, hint, problems } = document.error;
  const lines = [`${paint('red', 'error:')} ${message}`];
  for (const problem of problems ?? []) lines.push(...renderProblem(problem, paint));
  if (hint !== undefined) lines.push(`  to do: ${hint}`);
  lines.push(paint('dim', `  code: ${code}`));
  return `${lines.join('\n')}\n`;
}

export function renderProblem(problem: Problem, paint: Paint): string[] {
  const mark = problem.severity === 'error' ? paint('red', 'x') : paint('yellow', '!');
  const line = `  ${mark} ${problem.place}: ${scrub(problem.message)}`;
  return problem.hint === undefined ? [line] : [line, `      to do: ${scrub(problem.hint)}`];
}
