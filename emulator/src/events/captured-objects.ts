import { objectOfChangeEvent } from './event-names.ts';
import type { EventBus } from './types.ts';

/** Objects whose changes are captured, each once whatever channels it is in: what the allocation counts. */
export function capturedObjects(bus: EventBus): Set<string> {
  const members = bus.customChannels().flatMap((channel) => channel.members);
  return new Set([...bus.selectedForChangeEvents(), ...members.flatMap(({ eventName }) => objectOfChangeEvent(eventName) ?? [])]);
}
