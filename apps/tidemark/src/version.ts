import manifest from '../package.json' with { type: 'json' };

/** Of this program. */
export function version(): string {
  return manifest.version;
}
