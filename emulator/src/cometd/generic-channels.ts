import type { Access } from '../access/access.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { RollingLimit } from '../limits/rolling-limit.ts';
import { type Org, SalesforceError } from '../org/types.ts';
import { errors } from './errors.ts';
import { replayStruck } from './replay-faults.ts';
import { createRetainedLog, type RetainedLog } from './retained-log.ts';
import { BayeuxError, type StreamChannel } from './types.ts';

/** Text that somebody pushed, to everybody or to some users. */
export interface PushEvent {
  payload: string;
  userIds?: readonly string[];
}

/** Channels of generic events: `/u/<name>`, each a StreamingChannel record. Nobody makes them by subscribing. */
export interface GenericChannels {
  /** @throws {BayeuxError} */
  channel(name: string, userId: string): StreamChannel;
  /** @returns the channel's name. @throws {SalesforceError} there is no such channel. */
  push(channelId: string, event: PushEvent, userId: string): string;
}

const payloadMax = 3000;

export function createGenericChannels(parts: {
  org: Org;
  access: Access;
  faults: FaultList;
  allocation: RollingLimit;
  appended(): void;
}): GenericChannels {
  const { org, access, faults, allocation } = parts;
  const logs = new Map<string, RetainedLog<PushEvent>>();
  const logOf = (id: string) => {
    const known = logs.get(id) ?? createRetainedLog<PushEvent>(org.clock);
    logs.set(id, known);
    return known;
  };

  return {
    channel(name, userId) {
      if (!access.canRead(userId, 'StreamingChannel')) throw new BayeuxError(errors.noAccess);
      const quoted = name.replaceAll(/[\\']/g, '\\$&');
      const [record] = org.query(`SELECT Id, Name FROM StreamingChannel WHERE Name = '${quoted}'`).page(0, 1, 'v62.0') as {
        Id: string;
        Name: string;
      }[];
      // SOQL does not mind the case, channel names do.
      if (record && record.Name !== name) throw new BayeuxError('404::channel names may not vary only by case');
      if (!record) throw new BayeuxError(errors.unknownChannel);
      const log = logOf(record.Id);
      return {
        name,
        allocation,
        namesClient: true,
        resolve: (replayId) => log.resolve(replayStruck(faults, name, replayId)),
        read(after, max, user) {
          const { events, next } = log.read(after, max);
          const mine = events.filter(({ content: { userIds = [] } }) => userIds.length === 0 || userIds.includes(user));
          const seen = mine.map(({ replayId, createdDate, content: { payload } }) => ({
            data: () => ({ event: { createdDate, replayId }, payload }),
          }));
          return { events: seen, next };
        },
      };
    },
    push(channelId, event, userId) {
      const found = access.canRead(userId, 'StreamingChannel') && org.retrieve('StreamingChannel', channelId, 'v62.0', ['Name']);
      if (!found) throw new SalesforceError('NOT_FOUND', 'The requested resource does not exist', { httpStatus: 404 });
      if (event.payload.length > payloadMax) {
        throw new SalesforceError('STRING_TOO_LONG', `the payload is longer than ${payloadMax} characters`);
      }
      logOf(String(found.Id ?? channelId)).append(event);
      parts.appended();
      return String(found.Name);
    },
  };
}
