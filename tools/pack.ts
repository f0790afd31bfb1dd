import { copyFile, cp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildDashboard } from '../apps/dashboard/build.ts';
import { doors, manifestFile, packageManifest, typesFolder } from './pack-manifest.ts';
import { writeTypes } from './pack-types.ts';
import { root } from './run-command.ts';

/** Makes what `npm pack` of apps/tidemark puts into the package, besides what lies there anyway. npm calls it before it packs. */
async function preparePackage(): Promise<void> {
  const folder = dirname(join(root, manifestFile));
  const dist = join(folder, 'dist');
  await rm(dist, { recursive: true, force: true });
  const manifest = await packageManifest(dist);
  if (manifest !== (await readFile(join(root, manifestFile), 'utf8')))
    throw new Error(`${manifestFile} does not name what the package needs: run npm run generate`);
  await writeTypes([...(await doors()).values()], join(folder, typesFolder));
  // Beside the code, which looks for it there before it looks for sources to build.
  await cp(await buildDashboard(), join(dist, 'dashboard'), { recursive: true });
  await copyFile(join(root, 'LICENSE'), join(folder, 'LICENSE'));
}

await preparePackage();
