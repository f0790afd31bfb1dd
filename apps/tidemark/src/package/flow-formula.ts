/** Texts, comments and references as they are; a word with whatever follows it. */
const tokens = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\/\*[\s\S]*?\*\/|\{![^}]*\}|(\$?[A-Za-z_][\w.]*)(\s*\()?/g;
const constants = /^(?:TRUE|FALSE|NULL)$/i;

/** A formula over a record's own fields as a Flow has it: `ISCHANGED(Website)` is `ISCHANGED({!$Record.Website})` there. */
export function flowFormula(formula: string, spelled: (field: string) => string): string {
  return formula.replaceAll(tokens, (all, word: string | undefined, call: string | undefined) => {
    if (word === undefined || call !== undefined || constants.test(word)) return all;
    return word.startsWith('$') ? `{!${word}}` : `{!$Record.${spelled(word)}}`;
  });
}
