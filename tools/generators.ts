import { generatedFiles } from '../apps/tidemark/src/generated-files.ts';
import { errorReference } from './errors/error-reference.ts';
import { manifestFile, packageManifest } from './pack-manifest.ts';
import { systemsPage } from './systems-page.ts';

/** A file that follows from the code: never edited by hand, made by `node tools/generate.ts`, kept true by `npm run check`. */
export interface Generator {
  /** From the root of the workspace. */
  readonly file: string;
  make(): Promise<string>;
}

export const generators: readonly Generator[] = [
  ...generatedFiles,
  { file: manifestFile, make: () => packageManifest() },
  { file: 'docs/reference/errors.md', make: errorReference },
  systemsPage,
];
