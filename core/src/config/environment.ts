export type Environment = { readonly [name: string]: string | undefined };

export interface Substituted {
  readonly text: string;
  /** Variables whose values are now part of the text. */
  readonly used: readonly string[];
  /** A variable stood in it, though its default may be what is there now. */
  readonly filled: boolean;
  readonly problems: readonly { readonly message: string; readonly hint: string }[];
}

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g;
const inside = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`.
 * An empty variable counts as missing, as an `.env` file copied from its example leaves it; `${NAME:-}` allows empty.
 */
export function substitute(text: string, env: Environment): Substituted {
  const used: string[] = [];
  let filled = false;
  const problems: { message: string; hint: string }[] = [];
  const replaced = text.replace(reference, (whole: string, content: string | undefined, close: string | undefined) => {
    if (whole === '$${') return '${';
    const match = close === '}' ? inside.exec(content ?? '') : null;
    if (match === null) {
      problems.push({
        message: 'has a `${` that does not begin a variable',
        hint: `write \${NAME}, \${NAME:-default}, or $\${ for a literal \${`,
      });
      return whole;
    }
    const name = match[1]!;
    // Not what an object inherits: `constructor` is as unset as any other.
    filled = true;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined && value !== '') {
      used.push(name);
      return value;
    }
    if (match[2] !== undefined) return match[2];
    problems.push({
      message: `the environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}`,
      hint: `set it, e.g. in .env beside the configuration, or give a default: \${${name}:-…}`,
    });
    return whole;
  });
  return { text: replaced, used, filled, problems };
}
