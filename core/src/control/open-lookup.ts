import { RequestRefusedError } from '../base/errors.ts';
import type { Connection } from '../model/connector.ts';
import type { OpenLookup } from '../pipeline/stage-lookup.ts';

/** Opens what lookup steps ask, among the connections that are open. */
export function openLookupIn(connection: (name: string) => Connection<unknown, unknown>, signal: AbortSignal): OpenLookup {
  return async (name, spec) => {
    const opened = connection(name);
    if (opened.openLookup === undefined) {
      throw new RequestRefusedError(`nothing can be looked up in ${name}`, { hint: 'use a run: step' });
    }
    return opened.openLookup(spec, signal);
  };
}
