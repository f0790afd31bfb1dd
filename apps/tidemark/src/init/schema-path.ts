import { existsSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The editor's schema as a configuration names it. In a checkout it lies beside the docs, and a package brings it. */
export function schemaPath(file: string): string | null {
  const schema = fileURLToPath(new URL('../../../../docs/tidemark.schema.json', import.meta.url));
  return existsSync(schema) ? relative(dirname(file), schema) : null;
}
