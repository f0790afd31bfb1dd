import { checkbox, confirm, input, password, select } from '@inquirer/prompts';

/** Questions to a person. Tests answer them from a list. */
export interface Ask {
  text(message: string, fallback?: string): Promise<string>;
  secret(message: string): Promise<string>;
  /** `about` explains a choice while it is the one pointed at. */
  choose(message: string, choices: readonly string[], fallback?: string, about?: ReadonlyMap<string, string>): Promise<string>;
  chooseMany(message: string, choices: readonly string[], checked: readonly string[]): Promise<readonly string[]>;
  confirm(message: string): Promise<boolean>;
}

/** The person has had enough (Ctrl-C): nothing has been written. */
export class QuestionsEndedError extends Error {}

/** Questions stand on standard error: standard output belongs to the answer. */
const context = { output: process.stderr };

export const askOnTerminal: Ask = {
  text: (message, fallback) => answered(input({ message, ...(fallback === undefined ? {} : { default: fallback }) }, context)),
  secret: (message) => answered(password({ message, mask: '*' }, context)),
  choose: (message, choices, fallback, about) =>
    answered(
      select(
        {
          message,
          choices: choices.map((value) => ({ value, ...(about?.has(value) ? { description: about.get(value)! } : {}) })),
          pageSize: 12,
          ...(fallback === undefined ? {} : { default: fallback }),
        },
        context,
      ),
    ),
  chooseMany: (message, choices, checked) =>
    answered(
      checkbox(
        { message, choices: choices.map((value) => ({ value, checked: checked.includes(value) })), pageSize: 15, required: true },
        context,
      ),
    ),
  confirm: (message) => answered(confirm({ message }, context)),
};

function answered<T>(question: Promise<T>): Promise<T> {
  return question.catch((error: unknown) => {
    throw (error as Error).name === 'ExitPromptError' ? new QuestionsEndedError('no more questions') : error;
  });
}
