import type { ConnectorContext } from '@tidemark/core';
import type { Client } from '../client.ts';
import { deleteCollection } from '../write/collections.ts';
import type { Outcome } from '../write/outcome.ts';
import { sendPatiently } from '../write/send-patiently.ts';

/** Deletes records by Id, some in a call; locked ones are tried again in smaller calls. */
export function deleteById(
  options: {
    readonly client: Client;
    readonly context: ConnectorContext;
    readonly object: string;
    readonly recordsPerCall: number;
  },
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const { client, context, object, recordsPerCall } = options;
  return sendPatiently(ids, {
    ...{ context, signal },
    callMax: recordsPerCall,
    momentary: true,
    lockOf: (id) => id,
    call: (chunk, abort) =>
      deleteCollection({ client, plan: { object }, to: { allOrNone: false }, momentary: true }, chunk, abort),
  });
}
