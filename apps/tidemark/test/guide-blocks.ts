/** A block of code in a page of the guide. */
export interface Block {
  readonly language: string;
  readonly text: string;
  readonly line: number;
}

export function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^```(\w*)[^\n]*\n(.*?)^```/gms);
  return [...found].map((match) => ({
    language: match[1]!,
    text: match[2]!,
    line: page.slice(0, match.index).split('\n').length,
  }));
}

/** The modules that a page shows: file name, which is the comment in the first line of each, and what the file holds. */
export function modulesOf(page: string): (readonly [file: string, text: string])[] {
  return blocksOf(page).flatMap(({ language, text }) => {
    const file = language === 'ts' ? /^\/\/ (\S+\.ts)\n/.exec(text)?.[1] : undefined;
    return file === undefined ? [] : [[file, text] as const];
  });
}
