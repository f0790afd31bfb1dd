/** Where two texts part, as a reader sees it: what is there, and what would be. */
export function firstDifference(there: string, wanted: string): string {
  const [old, own] = [there.split('\n'), wanted.split('\n')];
  const at = old.findIndex((line, i) => line !== own[i]);
  const line = at < 0 ? old.length : at;
  const shown = (mark: string, text: string | undefined) => `    ${mark} ${text === undefined ? '(ends here)' : text.trim()}`;
  return [`    line ${line + 1}:`, shown('-', old[line]), shown('+', own[line])].join('\n');
}
