/** One way in which an answer here is not built like the recorded one. */
export interface Difference {
  /** The recording. */
  readonly file: string;
  /** `fields[Name].label`; elements of lists are `[]`, or `[name]` where they have one. */
  readonly path: string;
  /** `missing here`, `only here`, `string, here number`, … */
  readonly what: string;
}

/**
 * What two JSON values differ in apart from their contents: keys, types, and the order of keys. `null` fits every type;
 * elements of a list are alike, so that each recorded one is compared with its neighbour of the same name or else place.
 */
export function compareStructure(file: string, recorded: unknown, ours: unknown, path = ''): Difference[] {
  if (recorded === null || ours === null) return [];
  const [theirType, ourType] = [typeOf(recorded), typeOf(ours)];
  if (theirType !== ourType) return [{ file, path, what: `${theirType}, here ${ourType}` }];
  if (theirType === 'array') return compareLists(file, recorded as unknown[], ours as unknown[], path);
  return theirType === 'object' ? compareRecords(file, recorded as object, ours as object, path) : [];
}

export const typeOf = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value);

function compareLists(file: string, recorded: unknown[], ours: unknown[], path: string): Difference[] {
  if (recorded.length === 0) return [];
  if (ours.length === 0) return [{ file, path, what: 'filled, here empty' }];
  const differences = recorded.flatMap((element, i) => {
    const name = nameOf(element);
    const twin = name === undefined ? ours[Math.min(i, ours.length - 1)] : ours.find((each) => nameOf(each) === name);
    // Which of them there are is compared where that means anything.
    return twin === undefined ? [] : compareStructure(file, element, twin, `${path}[${name ?? ''}]`);
  });
  return [...new Map(differences.map((each) => [`${each.path} ${each.what}`, each])).values()];
}

export function nameOf(value: unknown): string | undefined {
  const name = typeOf(value) === 'object' ? (value as { name?: unknown }).name : undefined;
  return typeof name === 'string' ? name : undefined;
}

function compareRecords(file: string, recorded: object, ours: object, path: string): Difference[] {
  const below = (key: string) => (path === '' ? key : `${path}.${key}`);
  const [their, our] = [Object.entries(recorded), ours as Record<string, unknown>];
  const keys = their.map(([key]) => key);
  return [
    ...keys.filter((key) => !Object.hasOwn(our, key)).map((key) => ({ file, path: below(key), what: 'missing here' })),
    ...Object.keys(our)
      .filter((key) => !keys.includes(key))
      .map((key) => ({ file, path: below(key), what: 'only here' })),
    ...compareOrder(file, path, keys, Object.keys(our)),
    ...their.flatMap(([key, value]) => (Object.hasOwn(our, key) ? compareStructure(file, value, our[key], below(key)) : [])),
  ];
}

/** The order of what both have. */
export function compareOrder(file: string, path: string, recorded: readonly string[], ours: readonly string[]): Difference[] {
  const common = recorded.filter((key) => ours.includes(key));
  const here = ours.filter((key) => recorded.includes(key));
  const at = common.findIndex((key, i) => here[i] !== key);
  return at < 0 ? [] : [{ file, path, what: `order: ${common[at]}, here ${here[at]}` }];
}
