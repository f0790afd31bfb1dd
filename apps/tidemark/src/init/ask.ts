import { checkbox, confirm, input, password, select } from '@inquirer/prompts';

/** Questions to a person. Tests answer them from a list. */
export interface Ask {
  text(message: string, fallback?: string): Promise<string>;
  secret(message: string): Promise<string>;
  choose(message: string, choices: readonly string[], fallback?: string): Promise<string>;
  chooseMany(message: string, choices: readonly string[], checked: readonly string[]): Promise<readonly string[]>;
  confirm(message: string): Promise<boolean>;
}

/** Questions stand on standard error: standard output belongs to the answer. */
const context = { output: process.stderr };

export const askOnTerminal: Ask = {
  text: (message, fallback) => input({ message, ...(fallback === undefined ? {} : { default: fallback }) }, context),
  secret: (message) => password({ message, mask: '*' }, context),
  choose: (message, choices, fallback) =>
    select(
      {
        message,
        choices: choices.map((value) => ({ value })),
        pageSize: 12,
        ...(fallback === undefined ? {} : { default: fallback }),
      },
      context,
    ),
  chooseMany: (message, choices, checked) =>
    checkbox(
      { message, choices: choices.map((value) => ({ value, checked: checked.includes(value) })), pageSize: 15, required: true },
      context,
    ),
  confirm: (message) => confirm({ message }, context),
};
