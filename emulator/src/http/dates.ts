/** `2024-05-22T13:05:09.000+0000`: datetimes as REST replies write them. */
export const restDatetime = (ms: number): string => new Date(ms).toISOString().replace('Z', '+0000');

/** A datetime of a request: with offset or `Z`. `undefined` when it is none. */
export function parseDatetime(text: string): number | undefined {
  // A plus sign that was not encoded arrives as a blank, and then this is no datetime: the API says so too.
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:?\d\d)$/.exec(text);
  if (!parts) return undefined;
  const offset = parts[2] as string;
  const ms = Date.parse(
    parts[1] + (offset === 'Z' || offset.includes(':') ? offset : `${offset.slice(0, 3)}:${offset.slice(3)}`),
  );
  return Number.isNaN(ms) ? undefined : ms;
}
