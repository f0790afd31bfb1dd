import { AccessDeniedError, RequestRefusedError, SyncError } from '@tidemark/core';
import type { Client } from '../client.ts';
import { salesforceCode } from '../errors.ts';
import { identifier } from '../soql.ts';

/** The channel of Setup, Change Data Capture. */
const standardChannel = 'ChangeEvents';

/** Objects that an org captures without an add-on, each counted once whatever channels it is in (Change Data Capture Developer Guide, "Allocations"). */
export const objectsMax = 5;

/** `AccountChangeEvent`, `Employee__ChangeEvent` (Change Data Capture Developer Guide, "Subscription Channels"). */
export const changeEventName = (object: string): string => `${object.replace(/__c$/i, '__')}ChangeEvent`;

const objectOfEvent = (event: string): string => event.replace(/ChangeEvent$/, '').replace(/__$/, '__c');

/** Of what kind a topic is: `objects` are chosen for it by somebody, or it tells of one object alone. */
export type Channel =
  | { readonly kind: 'members'; readonly name: string }
  | { readonly kind: 'object'; readonly event: string }
  | { readonly kind: 'other' };

export function channelOf(topic: string): Channel {
  const name = /^\/data\/(\w+)$/.exec(topic)?.[1];
  if (name === undefined) return { kind: 'other' };
  if (name === standardChannel || name.endsWith('__chn')) return { kind: 'members', name };
  return name.endsWith('ChangeEvent') ? { kind: 'object', event: name } : { kind: 'other' };
}

/** What is selected in Setup, or by whatever else made members of channels. */
export interface Selection {
  /** Objects whose changes the channel tells, as the org spells them. */
  readonly members: readonly string[];
  /** Objects captured for any channel: what is counted against the org's limit. */
  readonly captured: readonly string[];
}

/** Null: this user may not see it. Needs "View Setup and Configuration". */
export async function readSelection(
  client: Client,
  { name }: { readonly name: string },
  signal?: AbortSignal,
): Promise<Selection | null> {
  const about = 'asking which objects are selected for Change Data Capture';
  const query = async (soql: string) => {
    const path = `/tooling/query?q=${encodeURIComponent(soql)}`;
    const { body } = await client.request({ method: 'GET', path, about, signal });
    return (body as { records?: Readonly<Record<string, string | null>>[] }).records ?? [];
  };
  try {
    const members = await query('SELECT EventChannel, SelectedEntity FROM PlatformEventChannelMember');
    // Of a custom channel a member tells the id.
    const developerName = name.replace(/__chn$/, '');
    const channel =
      name === standardChannel
        ? name
        : (await query(`SELECT Id FROM PlatformEventChannel WHERE DeveloperName = '${identifier(developerName)}'`))[0]?.Id;
    const objectsOf = (rows: typeof members) =>
      [...new Set(rows.map(({ SelectedEntity: event }) => event ?? '').filter((event) => /ChangeEvent$/.test(event)))].map(
        objectOfEvent,
      );
    return { members: objectsOf(members.filter((row) => row.EventChannel === channel)), captured: objectsOf(members) };
  } catch (error) {
    if (error instanceof SyncError && (error.code === 'request_refused' || error.code === 'access_denied')) return null;
    throw error;
  }
}

/** Those of the objects whose changes the selection does not tell. */
export function unselected(selection: Selection, objects: readonly string[]): readonly string[] {
  const members = new Set(selection.members.map((object) => object.toLowerCase()));
  return objects.filter((object) => !members.has(object.toLowerCase()));
}

/**
 * Selects objects, as Setup, Change Data Capture does; answers those that were not selected before.
 * @throws {RequestRefusedError} the org captures no more @throws {AccessDeniedError} not by this user
 */
export async function selectObjects(
  client: Client,
  topic: string,
  objects: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const channel = channelOf(topic);
  if (channel.kind !== 'members') {
    throw new RequestRefusedError(`nothing can be selected for the channel ${topic}`, {
      hint: 'Use /data/ChangeEvents, or a channel of the org itself, such as /data/Sales__chn',
    });
  }
  const selection = await readSelection(client, channel, signal);
  const selected: string[] = [];
  for (const object of selection === null ? objects : unselected(selection, objects)) {
    try {
      await client.request({
        method: 'POST',
        path: '/tooling/sobjects/PlatformEventChannelMember',
        body: { FullName: memberName(channel.name, object), Metadata: memberOf(channel.name, object) },
        about: `selecting ${object} for Change Data Capture`,
        signal,
      });
      selected.push(object);
    } catch (error) {
      // Nobody could tell before: it is.
      if (salesforceCode(error) !== 'DUPLICATE_DEVELOPER_NAME') throw refusal(error, selected, selection);
    }
  }
  return selected;
}

/** `ChangeEvents_Employee_ChangeEvent`: names of components hold no double underscores. */
export const memberName = (channel: string, object: string): string =>
  `${channel}_${changeEventName(identifier(object))}`.replaceAll('__', '_');

export const memberOf = (channel: string, object: string) => ({
  eventChannel: channel,
  selectedEntity: changeEventName(identifier(object)),
});

export const filesHint = 'or have `tidemark check --write-metadata <folder>` write what an administrator deploys';

function refusal(error: unknown, selected: readonly string[], selection: Selection | null): unknown {
  if (!(error instanceof SyncError)) return error;
  const before =
    selected.length === 0 ? '' : ` (${selected.join(', ')} ${selected.length === 1 ? 'was' : 'were'} selected before that)`;
  if (/LIMIT/.test(salesforceCode(error) ?? '')) {
    const captured = [...(selection?.captured ?? []), ...selected];
    const known = captured.length === 0 ? '' : `; selected now: ${captured.join(', ')}`;
    return new RequestRefusedError(`${error.message}${before}${known}`, {
      cause: error.cause,
      hint: `An org captures ${objectsMax} objects without an add-on: take one out in Setup, Change Data Capture, buy the add-on, or poll the rest (live: false)`,
    });
  }
  const message = `${error.message}${before}`;
  if (error.code === 'access_denied') {
    return new AccessDeniedError(message, {
      cause: error.cause,
      hint: `Selecting objects needs the permission "Customize Application": give it to the user, ${filesHint}`,
    });
  }
  if (error.code !== 'request_refused') return error;
  return new RequestRefusedError(message, {
    cause: error.cause,
    hint: error.hint ?? `Select it in Setup, Change Data Capture, ${filesHint}`,
  });
}
