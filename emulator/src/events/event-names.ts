import { isPlatformEvent } from '../schema/platform-event.ts';
import type { ObjectDescribe } from '../schema/types.ts';

/** Objects of this org that cannot be selected (Change Data Capture guide, "Objects That Support Change Events"). */
const withoutEvents: ReadonlySet<string> = new Set([
  'Group',
  'Organization',
  'Profile',
  'PushTopic',
  'RecordType',
  'StreamingChannel',
  'UserRole',
]);

export const hasChangeEvents = ({ name, customSetting }: ObjectDescribe): boolean =>
  !withoutEvents.has(name) && !customSetting && !isPlatformEvent(name);

/** `Account` → `AccountChangeEvent`, `Foo__c` → `Foo__ChangeEvent` (Change Data Capture guide, "Subscription Channels"). */
export const changeEventName = (object: string): string => `${object.replace(/__c$/, '__')}ChangeEvent`;

/** The object of a change event's name, or `undefined` when it is none. */
export function objectOfChangeEvent(eventName: string): string | undefined {
  const stem = /^(\w+)ChangeEvent$/.exec(eventName)?.[1];
  const object = stem?.endsWith('__') ? `${stem}c` : stem;
  return object !== undefined && changeEventName(object) === eventName ? object : undefined;
}
