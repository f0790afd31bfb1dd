import type { Client } from './client.ts';

/** The same client, which says how many calls went through it. A call that was tried again counts once. */
export function counting(client: Client): { readonly client: Client; calls(): number } {
  let calls = 0;
  const counted: Client = {
    ...client,
    request: (request) => {
      calls++;
      return client.request(request);
    },
    open: (request) => {
      calls++;
      return client.open(request);
    },
    composite: (parts, signal) => {
      calls++;
      return client.composite(parts, signal);
    },
  };
  return { client: counted, calls: () => calls };
}
