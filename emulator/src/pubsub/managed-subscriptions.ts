import { makeId } from '../org/ids.ts';

export type ManagedReplay = 'LATEST' | 'EARLIEST';

/** A `ManagedEventSubscription` as it is set up (Metadata API Developer Guide). */
export interface ManagedSubscriptionSpec {
  developerName: string;
  topicName: string;
  label?: string;
  /** Where a client starts that never committed. */
  defaultReplay?: ManagedReplay;
  /** Where it starts when what was committed is no longer valid. */
  errorRecoveryReplay?: ManagedReplay;
  state?: 'RUN' | 'STOP';
}

export interface ManagedSubscription extends Required<ManagedSubscriptionSpec> {
  /** 18 characters, prefix 18x. */
  readonly id: string;
  /** The replay id that was committed last. */
  readonly committed: number | undefined;
}

/** The managed subscriptions of an org, the positions stored for them, and who is reading by them. */
export interface ManagedSubscriptions {
  /** Adds one, or changes the one of this name; the position stays. @throws {TypeError} on a misspelt one, or beyond 200. */
  define(spec: ManagedSubscriptionSpec): ManagedSubscription;
  /** By name or by id. */
  remove(nameOrId: string): boolean;
  list(): readonly ManagedSubscription[];
  byName(developerName: string): ManagedSubscription | undefined;
  /** 15 or 18 characters. */
  byId(id: string): ManagedSubscription | undefined;
  commit(id: string, replayId: number): void;
  /** Takes the one place that a subscription has for a client; `undefined` when it is taken. `onChange` is told of every change and of the end. */
  enter(id: string, onChange: (now: ManagedSubscription | undefined) => void): (() => void) | undefined;
}

export const managedSubscriptionsMax = 200;

/** @param instance  Two characters that tell orgs apart in ids. */
export function createManagedSubscriptions(instance: string): ManagedSubscriptions {
  const byName = new Map<string, ManagedSubscription>();
  const clients = new Map<string, (now: ManagedSubscription | undefined) => void>();
  let made = 0;
  const byId = (id: string) => [...byName.values()].find((each) => each.id === id || each.id.slice(0, 15) === id);
  return {
    define(spec) {
      check(spec);
      const known = byName.get(spec.developerName);
      if (!known && byName.size >= managedSubscriptionsMax) {
        throw new TypeError(`an org has at most ${managedSubscriptionsMax} managed subscriptions`);
      }
      const defaults = {
        label: spec.developerName,
        defaultReplay: 'LATEST',
        errorRecoveryReplay: 'LATEST',
        state: 'RUN',
      } as const;
      const moved = known && known.topicName !== spec.topicName;
      const subscription: ManagedSubscription = {
        ...defaults,
        ...known,
        ...spec,
        id: known?.id ?? makeId('18x', instance, ++made),
        committed: moved ? undefined : known?.committed,
      };
      byName.set(spec.developerName, subscription);
      clients.get(subscription.id)?.(subscription);
      return subscription;
    },
    remove(nameOrId) {
      const found = byName.get(nameOrId) ?? byId(nameOrId);
      if (!found) return false;
      byName.delete(found.developerName);
      clients.get(found.id)?.(undefined);
      return true;
    },
    list: () => [...byName.values()],
    byName: (name) => byName.get(name),
    byId,
    commit(id, replayId) {
      const found = byId(id);
      if (found) byName.set(found.developerName, { ...found, committed: replayId });
    },
    enter(id, onChange) {
      if (clients.has(id)) return undefined;
      clients.set(id, onChange);
      return () => {
        if (clients.get(id) === onChange) clients.delete(id);
      };
    },
  };
}

const replays: readonly unknown[] = [undefined, 'LATEST', 'EARLIEST'];
const states: readonly unknown[] = [undefined, 'RUN', 'STOP'];
const names = ['developerName', 'topicName', 'label', 'defaultReplay', 'errorRecoveryReplay', 'state'];

function check(spec: ManagedSubscriptionSpec): void {
  for (const name of Object.keys(spec)) if (!names.includes(name)) throw new TypeError(`a managed subscription has no '${name}'`);
  if (!/^[A-Za-z]\w{0,79}$/.test(spec.developerName)) throw new TypeError(`'${spec.developerName}' is no developer name`);
  if (!/^\/(event|data)\/\w+$/.test(spec.topicName)) throw new TypeError(`'${spec.topicName}' is no topic`);
  if (!replays.includes(spec.defaultReplay) || !replays.includes(spec.errorRecoveryReplay)) {
    throw new TypeError('defaultReplay and errorRecoveryReplay are LATEST or EARLIEST');
  }
  if (!states.includes(spec.state)) throw new TypeError('state is RUN or STOP');
}
