import type { EventEmitter } from 'node:events';
import { instancesChannel } from '@platformatic/kafka';

// A connection of the driver may fail twice: closed in the middle of a login, first as closed, then as refused. Whoever waits for it
// hears of the first failure; the second has no listener any more, and an error event without one ends the process.
instancesChannel.subscribe((made) => {
  const { type, instance } = made as { readonly type: string; readonly instance: EventEmitter };
  if (type === 'connection') instance.on('error', () => {});
});
