import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { FetchResponseWriter } from './fetch-response-writer.ts';
import type { ManagedFetchResponse } from './messages.ts';

/** Beyond this a gateway resets the request before the service sees it. */
const requestBytesMax = 4 * 1024 * 1024;

/** What a request is read as that is too large to be read. */
export const tooLarge = Symbol('request too large');

/** `eventbus.v1.PubSub`, its messages with names as in `messages.ts`. */
export async function loadServiceDefinition(): Promise<ServiceDefinition> {
  const { loadSync } = await import('@grpc/proto-loader');
  const definition = loadSync(fileURLToPath(new URL('./pubsub_api.proto', import.meta.url)), {
    defaults: true,
    enums: String,
    longs: Number,
  })['eventbus.v1.PubSub'] as ServiceDefinition;
  const managed = definition.ManagedSubscribe!.responseSerialize as (response: ManagedFetchResponse) => Buffer;
  const writer = new FetchResponseWriter();
  const fetched = (response: ManagedFetchResponse) => writer.write(response);
  /** What is sent most is written by hand. */
  const writers: Record<string, (response: ManagedFetchResponse) => Buffer> = {
    Subscribe: fetched,
    ManagedSubscribe: (response) => (response.commitResponse === undefined ? fetched(response) : managed(response)),
  };
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer) =>
        bytes.length > requestBytesMax ? tooLarge : method.requestDeserialize(bytes);
      return [name, { ...method, requestDeserialize, responseSerialize: writers[name] ?? method.responseSerialize }];
    }),
  );
}
