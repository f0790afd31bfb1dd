import { createSessions } from '../auth/sessions.ts';
import { createFaultList, type FaultList } from '../faults/fault-list.ts';
import { createClock } from '../org/clock.ts';
import type { Org, OrgClock } from '../org/types.ts';
import { type BusFixture, createBusFixture } from './bus-fixture.ts';
import { connectClient, type Received, type TestClient } from './client-fixture.ts';
import { createManagedSubscriptions, type ManagedSubscriptions } from './managed-subscriptions.ts';
import { type PubSub, type PubSubOptions, startPubSub } from './start-pubsub.ts';

/** A Pub/Sub server over a bus of the test's own, and a client that is signed in. The clock stands still. */
export interface PubSubFixture {
  clock: OrgClock;
  bus: BusFixture;
  faults: FaultList;
  managed: ManagedSubscriptions;
  pubsub: PubSub;
  client: TestClient;
  /** Events that may still be delivered. */
  allowance: { left: number };
  metadata: { accesstoken: string; instanceurl: string; tenantid: string };
  revoke(): void;
  /** Metadata of a new session. */
  signIn(): Record<string, string>;
  close(): Promise<void>;
}

export const fixtureOrgId = '00DTM0000000001EAA';

export async function startPubSubFixture(options: PubSubOptions = {}): Promise<PubSubFixture> {
  const clock = createClock();
  clock.freeze(Date.parse('2026-03-04T05:06:07Z'));
  const org = { id: fixtureOrgId, clock } as Org;
  const sessions = createSessions(org);
  const bus = createBusFixture(clock);
  const faults = createFaultList();
  const managed = createManagedSubscriptions('TM');
  const allowance = { left: Number.POSITIVE_INFINITY };
  const deliveries = {
    spend(events: number) {
      if (events > allowance.left) return false;
      allowance.left -= events;
      return true;
    },
  };
  const pubsub = await startPubSub({ org, bus, sessions, faults, managed, deliveries }, '127.0.0.1', options);
  const signIn = () => {
    const { token } = sessions.start('005TM0000000001AAA');
    return { accesstoken: token, instanceurl: 'https://org.example', tenantid: fixtureOrgId };
  };
  const metadata = signIn();
  const client = connectClient(pubsub.endpoint, metadata);
  return {
    clock,
    bus,
    faults,
    managed,
    pubsub,
    client,
    allowance,
    metadata,
    signIn,
    revoke: () => sessions.revoke(metadata.accesstoken),
    async close() {
      client.close();
      await pubsub.close();
    },
  };
}

/** The `N__c` of every event of these messages, in order. */
export const numbersOf = (bus: BusFixture, messages: readonly Received[]): number[] =>
  messages.flatMap(({ events }) =>
    events.map(({ event }: Received) => (bus.type.fromBuffer(event.payload) as { N__c: number }).N__c),
  );

export const countEvents = (messages: readonly Received[]) => messages.reduce((sum, { events }) => sum + events.length, 0);
