/** Reads fields of a backdoor request; what does not fit is a `TypeError`, which the caller gets as 400. */
type Fields = Readonly<Record<string, unknown>>;

export function readText(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new TypeError(`'${name}' must be a string`);
  return value;
}

export function readNumber(fields: Fields, name: string): number;
export function readNumber(fields: Fields, name: string, absent: number): number;
export function readNumber(fields: Fields, name: string, absent?: number): number {
  const value = fields[name] ?? absent;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`'${name}' must be a number`);
  return value;
}

export function readObject(fields: Fields, name: string): Record<string, unknown> {
  const value = fields[name];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new TypeError(`'${name}' must be an object`);
  return value as Record<string, unknown>;
}

export function readList(fields: Fields, name: string): unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new TypeError(`'${name}' must be a list`);
  return value;
}

/** Misspelt names would silently do nothing. */
export function refuseUnknown(fields: Fields, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new TypeError(`unknown '${unknown}'; there are ${known.join(', ')}`);
}
