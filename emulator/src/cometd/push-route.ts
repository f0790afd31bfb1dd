import type { Handler } from '../http/api-types.ts';
import { badRequest } from '../http/errors.ts';
import type { PushEvent } from './generic-channels.ts';

/** `POST /sobjects/StreamingChannel/<id>/push` (REST API Developer Guide, "Streaming Channel Push"). */
export const pushGenericEvents: Handler = ({ params, body, userId }, { streaming }) => ({
  status: 200,
  body: readEvents(body).map((event) => {
    const fanoutCount = streaming.push(params.id as string, event, userId);
    const { userIds = [] } = event;
    const online = new Set(streaming.clients().map((client) => client.userId));
    return { fanoutCount, userOnlineStatus: Object.fromEntries(userIds.map((id) => [id, online.has(id)])) };
  }),
});

function readEvents(body: unknown): PushEvent[] {
  const events = (body as { pushEvents?: unknown } | undefined)?.pushEvents;
  if (!Array.isArray(events)) throw badRequest('JSON_PARSER_ERROR', 'the body needs a list of pushEvents');
  return events.map(({ payload, userIds = [] }: { payload?: unknown; userIds?: unknown }) => {
    if (typeof payload !== 'string') throw badRequest('INVALID_FIELD', 'the payload of an event is a text', ['payload']);
    if (!Array.isArray(userIds) || !userIds.every((id) => typeof id === 'string')) {
      throw badRequest('INVALID_FIELD', 'userIds is a list of ids', ['userIds']);
    }
    return { payload, userIds };
  });
}
