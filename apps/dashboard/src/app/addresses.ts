export type SyncPart = 'made-of' | 'runs' | 'failures' | 'conflicts' | 'live';

export function toSync(sync: string, part?: SyncPart): string {
  const address = `/syncs/${partOfAddress(sync)}`;
  return part === undefined ? address : `${address}/${part}`;
}

export function toRecord(sync: string, key: string): string {
  return `/syncs/${partOfAddress(sync)}/records/${partOfAddress(key)}`;
}

/**
 * A name or key, as a part of an address. The router undoes `encodeURI` before it tells parts from one another: a percent sign of the
 * name's own has to outlast that.
 */
export function partOfAddress(text: string): string {
  return encodeURIComponent(text.replaceAll('%', '%25'));
}

/** What a part stands for that the router has told. Somebody may have typed it by hand. */
export function readPart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
