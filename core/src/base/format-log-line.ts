import { styleText } from 'node:util';

const COLOURS = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' } as const;

/**
 * A line of the log for people: `13:05:09 warn  trying again  sync=contacts waitMs=500`. Counts of nothing are left out.
 * What is no log line stays as it is.
 */
export function formatLogLine(line: string, colour: boolean): string {
  const parsed = parseLine(line);
  if (parsed === null) return line;
  const { level, time, msg, ...data } = parsed;
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const label = paint(COLOURS[level as keyof typeof COLOURS] ?? 'gray', String(level).padEnd(5));
  const told = Object.entries(data).filter(([, value]) => value !== 0);
  const facts = told.map(([name, value]) => `${paint('gray', `${name}=`)}${show(value)}`);
  return `${[paint('gray', String(time).slice(11, 19)), label, visible(String(msg ?? '')), ...facts].join(' ')}\n`;
}

function parseLine(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function show(value: unknown): string {
  const message = (value as { message?: unknown } | null)?.message;
  // Of an error what matters to an operator; its stack is in the JSON form.
  const shown = typeof message === 'string' ? message : value;
  return typeof shown === 'string' && !/[\s"=]/.test(shown) ? visible(shown) : visible(JSON.stringify(shown));
}

/** Control characters from a foreign system must not move the cursor of somebody's terminal. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (control) =>
    JSON.stringify(control)
      .slice(1, -1)
      .replace(/^[\u007f-\u009f]$/, '?'),
  );
}
