import { LongNumber } from './hook-value.ts';

/** What a body of JSON says, with all digits of its numbers; or why it says nothing. */
export function parseBody(body: Uint8Array): { readonly value: unknown } | { readonly wrong: string } {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return { wrong: 'the body is not UTF-8' };
  }
  if (text.trim() === '') return { wrong: 'the body is empty' };
  try {
    return { value: JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) };
  } catch (error) {
    return { wrong: error instanceof SyntaxError ? 'the body is not JSON' : 'the body is nested too deep' };
  }
}

/** A double would round it without a word. */
function keepDigits(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  const digits = context.source.replace(/^-|[eE].*$|\./g, '').replace(/^0+/, '').length;
  return digits > 15 && String(value) !== context.source ? new LongNumber(context.source) : value;
}
