import { RequestRefusedError } from '@tidemark/core';
import type { Describe, Describes } from '../describe.ts';
import { eventOfTopic } from './topic-name.ts';

/** @throws {RequestRefusedError} there is no such event, or it is spelled otherwise: the bus knows capitals, describe does not */
export async function describeEvent(describes: Describes, topic: string, signal: AbortSignal): Promise<Describe> {
  const event = eventOfTopic(topic);
  const describe = await describes.get(event, signal);
  if (describe.name !== event) {
    throw new RequestRefusedError(`there is no topic ${topic}`, { hint: `Write /event/${describe.name}: topics know capitals` });
  }
  return describe;
}
