import { type Problem, type StreamSpec, SyncError } from '@tidemark/core';
import type { Client } from '../client.ts';
import { identifier } from '../soql.ts';

/** Tooling API, PlatformEventChannelMember: objects that somebody selected, for which channel. Needs "View Setup and Configuration". */
const membersQuery = 'SELECT EventChannel, SelectedEntity FROM PlatformEventChannelMember';
/** The channel of Setup, Change Data Capture, whose objects have channels of their own too. */
const standardChannel = 'ChangeEvents';

/** `AccountChangeEvent`, `Employee__ChangeEvent` (Change Data Capture Developer Guide, "Subscription Channels"). */
export const changeEventName = (object: string): string => `${object.replace(/__c$/i, '__')}ChangeEvent`;

/** Objects whose changes nobody tells; null when that cannot be known: the channel is one of the org's own, or Setup may not be seen. */
export async function unselectedObjects(
  client: Client,
  channel: string,
  objects: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[] | null> {
  if (/__chn$/.test(channel) || !channel.startsWith('/data/')) return null;
  const about = 'asking which objects are selected for Change Data Capture';
  const path = `/tooling/query?q=${encodeURIComponent(membersQuery)}`;
  try {
    const { body } = await client.request({ method: 'GET', path, about, signal });
    const { records = [] } = body as { records?: { EventChannel?: string; SelectedEntity?: string }[] };
    const selected = new Set(
      records.filter((record) => record.EventChannel === standardChannel).map((record) => record.SelectedEntity?.toLowerCase()),
    );
    return objects.filter((object) => !selected.has(changeEventName(object).toLowerCase()));
  } catch (error) {
    if (error instanceof SyncError && (error.code === 'request_refused' || error.code === 'access_denied')) return null;
    throw error;
  }
}

/** Selects objects in Setup, Change Data Capture. @throws {RequestRefusedError} the org allows no more, or not to this user */
export async function selectObjects(
  client: Client,
  objects: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  for (const object of objects) {
    const event = changeEventName(identifier(object));
    await client.request({
      method: 'POST',
      path: '/tooling/sobjects/PlatformEventChannelMember',
      body: { FullName: `${standardChannel}_${event}`, Metadata: { eventChannel: standardChannel, selectedEntity: event } },
      about: `selecting ${object} for Change Data Capture`,
      signal,
    });
  }
  return objects;
}

/** What keeps a live sync from hearing all that it listens for, besides the connection itself. */
export async function streamProblems(
  client: Client,
  place: string,
  channel: string,
  { datasets }: Pick<StreamSpec, 'datasets'>,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const unselected = await unselectedObjects(client, channel, datasets);
  if (unselected === null && channel.startsWith('/data/') && !/__chn$/.test(channel)) {
    problems.push({
      place,
      message: 'it cannot be seen which objects are selected for Change Data Capture',
      hint: 'Give the user "View Setup and Configuration", or make sure in Setup, Change Data Capture',
      severity: 'warning',
    });
  }
  for (const object of unselected ?? []) {
    problems.push({
      place,
      message: `${object} is not selected for Change Data Capture: its changes come by polls only`,
      hint: 'Select it in Setup, Change Data Capture; five objects are allowed without an add-on',
      severity: 'error',
    });
  }
  const { body } = await client.request({ method: 'GET', path: '/limits', about: 'asking for the limits of the org' });
  const { Max: max = 0, Remaining: left = 0 } =
    (body as { DailyDeliveredPlatformEvents?: { Max?: number; Remaining?: number } }).DailyDeliveredPlatformEvents ?? {};
  if (max > 0 && left < max / 10) {
    problems.push({
      place,
      message: `${max - left} of the ${max} event deliveries that the org has in 24 hours are used up`,
      hint: 'Once they are, polls go on alone; every subscriber of every channel counts',
      severity: 'warning',
    });
  }
  return problems;
}
