import { access, constants, readdir } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { Connector, Problem } from '@tidemark/core';
import { type FileConfig, type FileFrom, type FileTo, fileConfig, fileFrom, fileTo } from './config.ts';
import { CsvTarget } from './csv-target.ts';
import { fileError } from './errors.ts';
import { JsonLinesTarget } from './json-lines-target.ts';
import { knownEndings, placeOf } from './place.ts';
import { openFileSource } from './source.ts';

const connector: Connector<FileConfig, FileFrom, FileTo> = {
  name: 'file',
  summary: 'CSV and JSON Lines files',
  config: fileConfig,
  from: fileFrom,
  to: fileTo,
  hasOneWriter: true,
  open(config, { connection, baseDir, clock }) {
    const folder = resolve(baseDir, config.folder);
    return {
      async check() {
        return checkFolder(folder, `connections.${connection}.folder`);
      },
      async discover() {
        try {
          return (await readdir(folder)).filter((name) => knownEndings.includes(extname(name).toLowerCase())).sort();
        } catch (error) {
          throw fileError(error, config.folder);
        }
      },
      openSource: async (spec, signal) => openFileSource(placeOf(folder, spec.from), spec, signal),
      async openTarget(spec) {
        const place = placeOf(folder, spec.to);
        return place.format === 'csv' ? new CsvTarget(place, spec, clock) : new JsonLinesTarget(place, spec);
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

export default connector;

async function checkFolder(folder: string, place: string): Promise<readonly Problem[]> {
  try {
    await access(folder, constants.R_OK | constants.X_OK);
    await readdir(folder);
    return [];
  } catch (error) {
    const { message, hint } = fileError(error, folder) as { message: string; hint?: string };
    return [{ place, message, hint, severity: 'error' }];
  }
}
