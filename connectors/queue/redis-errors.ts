import {
  AccessDeniedError,
  NotConnectedError,
  OwnershipLostError,
  RequestRefusedError,
  SyncError,
  TransientError,
} from '@tidemark/core';

/**
 * What the engine does next, by the word with which Redis begins.
 * @see Redis documentation, "RESP protocol specification", simple errors
 */
export function toSyncError(error: unknown): unknown {
  if (error instanceof SyncError || !(error instanceof Error)) return error;
  const { message } = error;
  const options = { cause: error };
  const word = /^[A-Z]+/.exec(message)?.[0] ?? '';
  switch (word) {
    case 'EPOCH':
      return new OwnershipLostError('Another worker has taken over: its epoch is another', options);
    case 'GONE':
      return new RequestRefusedError('The queue is not there any more', { ...options, hint: 'Run again.' });
    case 'WRONGPASS':
    case 'NOAUTH':
    case 'NOPERM':
      return new AccessDeniedError(message, {
        ...options,
        hint: 'Check user and password in the url, and what the ACL lets the user do.',
      });
    case 'OOM':
      return new TransientError(message, { ...options, hint: 'Raise maxmemory, with maxmemory-policy noeviction.' });
    case 'LOADING':
    case 'BUSY':
    case 'MISCONF':
    case 'TRYAGAIN':
    case 'CLUSTERDOWN':
    case 'MASTERDOWN':
      return new TransientError(message, options);
    case 'READONLY':
      return new NotConnectedError(message, { ...options, hint: 'The url leads to a replica.' });
    case 'ERR':
    case 'WRONGTYPE':
      return new RequestRefusedError(message, options);
  }
  const code = (error as { code?: string }).code ?? '';
  if (/^E[A-Z]+$/.test(code) || /socket|connection|closed|timeout/i.test(`${error.name} ${message}`)) {
    return new NotConnectedError(`Redis does not answer: ${message || code}`, {
      ...options,
      hint: 'Is it running at the host and port of the url?',
    });
  }
  return error;
}
