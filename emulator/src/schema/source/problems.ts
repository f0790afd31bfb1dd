/** Something in a source folder that this org cannot take over, or takes over differently from a real one. */
export interface SourceNote {
  /** Relative to the loaded folder. */
  file: string;
  /** The element it is about, as a path (`CustomField.type`), or empty for the whole file. */
  element: string;
  message: string;
}

/** One file is wrong. Collected, so that all wrong files are reported together. */
export class SourceProblem extends Error {
  readonly note: SourceNote;
  constructor(note: SourceNote) {
    super(describeNote(note));
    this.name = 'SourceProblem';
    this.note = note;
  }
}

/** The folder was refused: nothing of it was taken over. */
export class SourceFolderError extends Error {
  readonly problems: readonly SourceNote[];
  constructor(folder: string, problems: readonly SourceNote[]) {
    super(`${folder} cannot be loaded:\n${problems.map((problem) => `  ${describeNote(problem)}`).join('\n')}`);
    this.name = 'SourceFolderError';
    this.problems = problems;
  }
}

export const describeNote = ({ file, element, message }: SourceNote): string =>
  element === '' ? `${file}: ${message}` : `${file}: <${element}> ${message}`;
