import { RequestRefusedError } from '@tidemark/core';
import { guarded, type KafkaClient } from './client/index.ts';

/** @throws {RequestRefusedError} others are members of it: our positions would be theirs */
export async function needOwnGroup(client: KafkaClient, group: string): Promise<void> {
  const found = (await guarded(() => client.admin.describeGroups({ groups: [group] }))).get(group);
  if (found === undefined || found.members.size === 0) return;
  const clients = [...new Set([...found.members.values()].map(({ clientId }) => clientId))];
  throw new RequestRefusedError(`The consumer group ${group} is used by others: ${clients.join(', ')}`, {
    hint: 'Name a group that is only for this sync, or none.',
  });
}
