import { TruncatedReplyError } from '@tidemark/core';

/** A number of sixteen digits or more somewhere in the text: it might not survive as a double. */
const longNumber = /[:[,]\s*-?\d[\d.]{15}/;

/**
 * Parses a JSON reply to `about`. A number that a double cannot hold becomes a string of its digits; looking at every number's
 * source is slow, so it is done only where a long one is in sight.
 * @throws {TruncatedReplyError} it is no whole JSON document (P13).
 */
export function parseJson(text: string, about = 'a request'): unknown {
  try {
    if (!longNumber.test(text)) return JSON.parse(text);
    return JSON.parse(text, exactly as (key: string, value: unknown) => unknown);
  } catch (cause) {
    // The parser's own message quotes the reply, which holds records: it is left out.
    const page = /^\s*</.test(text);
    throw new TruncatedReplyError(
      `${about}: a reply of ${text.length} characters is ${page ? 'a web page and no JSON' : 'not whole JSON'}`,
      {
        cause: (cause as Error).name,
        hint: page
          ? 'A machine in front of the org answers: look at the proxy, and whether the org is in maintenance'
          : undefined,
      },
    );
  }
}

function exactly(_key: string, value: unknown, context: { source?: string }): unknown {
  const { source } = context;
  if (typeof value !== 'number' || source === undefined || source.length < 16 || /[eE]/.test(source)) return value;
  const digits = source.includes('.') ? source.replace(/\.?0+$/, '') : source;
  return String(value) === digits ? value : digits;
}

/** What the language's own types do not know yet. */
const raw = JSON as unknown as { rawJSON(text: string): object; isRawJSON(value: unknown): boolean };

/** A number that goes into JSON with all of its digits, though a double may not hold them. */
export function exactNumber(digits: string): object {
  return raw.rawJSON(digits);
}

export function isExactNumber(value: unknown): boolean {
  return raw.isRawJSON(value);
}
