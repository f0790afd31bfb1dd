/** What an example's README tells to type. */
export interface Guide {
  /** Variables to set. */
  readonly variables: readonly string[];
  /** Arguments of `npx tidemark`, without the configuration's place. */
  readonly commands: readonly (readonly string[])[];
}

/** Reads the first block of shell commands. */
export function readGuide(readme: string): Guide {
  const block = /^```sh\n([\s\S]*?)^```/m.exec(readme)?.[1] ?? '';
  const lines = block.split('\n').map((line) => line.replace(/\s+#.*$/, '').trim());
  const variables = lines
    .filter((line) => line.startsWith('export '))
    .flatMap((line) => [...line.matchAll(/\b([A-Z][A-Z0-9_]*)=/g)].map(([, name]) => name!));
  const commands = lines
    .filter((line) => line.startsWith('npx tidemark '))
    .map((line) => line.split(/\s+/).slice(2))
    .map((words) => words.filter((word, i) => word !== '-c' && words[i - 1] !== '-c'));
  return { variables, commands };
}
