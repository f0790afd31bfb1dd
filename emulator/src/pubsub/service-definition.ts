import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';

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
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer) =>
        bytes.length > requestBytesMax ? tooLarge : method.requestDeserialize(bytes);
      return [name, { ...method, requestDeserialize }];
    }),
  );
}
