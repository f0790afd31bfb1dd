import { RequestRefusedError, type StreamEvent } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { signal, testContext } from '../fixture.ts';
import type { EventDecoder } from './decode-event.ts';
import { createDecoder } from './decode-event.ts';
import { createEventPlans } from './event-plans.ts';
import { openKeptEvents } from './kept-events.ts';
import { createMessageReader } from './read-message.ts';
import { streamOrg } from './stream-fixture.ts';
import type { JsonPayload, RawEvent, TransportName } from './transport.ts';

// What was kept of an event reads as the event did when it came, without the org; and nothing that comes is passed over because it
// cannot be read (P1, P5).

const contacts = {
  from: { object: 'contact', bulkAbove: 1, pageRows: 1 },
  where: undefined,
  fields: null,
  exclude: [],
  startAtMs: null,
};
const spec = contacts as never;

/** Everything but what was kept beside it, and where it stood. */
const told = ({ raw: _, position: __, ...event }: StreamEvent) => event;

describe.each<TransportName>(['pubsub', 'cometd'])(
  `kept by %s ${evidence('documented', 'Change Data Capture Developer Guide, "Change Event Message Structure"')}`,
  (transport) => {
    test('reads as it came, in every kind of change, when there is no org any more', async () => {
      const org = await streamOrg(transport);
      const schemas = new Map<string, string>();
      let events: readonly StreamEvent[];
      {
        await using listener = await org.listen({ datasets: ['Contact'], raw: true });
        const { org: records } = org.emulator;
        const { id } = records.write((t) =>
          t.insert('Contact', { LastName: 'Kéñt 𝄞', Birthdate: '1978-02-28', MailingCity: 'Metropolis' }),
        );
        records.write((t) => t.update('Contact', id, { FirstName: 'Clark', MailingCity: null, MailingLatitude: '48.2' }));
        records.write((t) => t.update('Contact', id, { Description: 'x'.repeat(2000) }));
        records.write((t) => t.update('Contact', id, { Description: `${'x'.repeat(1999)}y` }));
        records.write((t) => t.delete('Contact', id));
        records.write((t) => t.undelete('Contact', id));
        await listener.until((all) => all.length >= 6);
        events = [...listener.events];
        for (const { raw, dataset } of events) {
          schemas.set(raw!.schemaId, await listener.stream.keepSchema!(raw!.schemaId, dataset, signal));
        }
      }
      await org[Symbol.asyncDispose]();

      const reader = await openKeptEvents(testContext(), spec, schemas, signal);
      expect(reader.dataset).toBe('Contact');
      expect(reader.stampField).toBe('SystemModstamp');
      expect(reader.schema.fields.map(({ name }) => name)).toContain('MailingCity');
      for (const event of events) {
        expect(event.raw!.format).toBe(transport === 'pubsub' ? 'avro' : 'json');
        const payload = Uint8Array.from(event.raw!.payload);
        expect(told((await reader.read({ ...event.raw!, payload }, ''))!)).toEqual(told(event));
      }
      expect(new Set(events.map(({ op }) => op))).toEqual(new Set(['create', 'update', 'delete', 'undelete']));
      // What is kept is small: no picklists, no relationships to children.
      for (const text of schemas.values()) expect(/picklistValues|childRelationships/.test(text)).toBe(false);
    });

    test('is not read by a schema that was not kept, nor for an object of which nothing was', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen({ datasets: ['Contact'], raw: true });
      org.emulator.org.write((t) => t.insert('Contact', { LastName: 'Kent' }));
      await listener.until((all) => all.length > 0);
      const { raw } = listener.events[0]!;
      await expect(openKeptEvents(testContext(), spec, new Map(), signal)).rejects.toThrow(RequestRefusedError);
      const other = await listener.stream.keepSchema!(raw!.schemaId, 'Contact', signal);
      const reader = await openKeptEvents(testContext(), spec, new Map([['another', other]]), signal);
      const reading = Promise.resolve().then(() => reader.read(raw!, ''));
      // JSON tells its fields by name, and needs no schema.
      if (transport === 'pubsub') await expect(reading).rejects.toThrow('was not kept');
      else expect(await reading).toMatchObject({ op: 'create' });
    });

    test('nothing of it is carried along where nobody asked for it', async () => {
      await using org = await streamOrg(transport);
      await using listener = await org.listen({ datasets: ['Contact'] });
      org.emulator.org.write((t) => t.insert('Contact', { LastName: 'Kent' }));
      await listener.until((all) => all.length > 0);
      expect(listener.events[0]).not.toHaveProperty('raw');
      expect(listener.stream.keepSchema).toBeUndefined();
    });
  },
);

test('an event of which not even the header can be read is kept, and means that any record of its object may have changed (P5)', async () => {
  const schema = {
    type: 'record',
    name: 'InvoiceLine__ChangeEvent',
    fields: [
      {
        name: 'ChangeEventHeader',
        type: { type: 'record', name: 'ChangeEventHeader', fields: [{ name: 'entityName', type: 'string' }] },
      },
    ],
  };
  const plans = createEventPlans({
    loadSchema: async () => JSON.stringify(schema),
    needsSchema: true,
    describes: { get: () => Promise.reject(new RequestRefusedError('not asked')), forget() {} },
    context: testContext(),
  });
  const decoder = createDecoder(plans, ['InvoiceLine__c']);
  const reader = createMessageReader('pubsub', decoder, 'AAAA', true);
  const garbage: RawEvent = { replayId: 'AAAB', id: 'e', schemaId: 's', payload: Uint8Array.of(255, 255, 255, 255, 255, 255) };
  const { delivery } = await reader.read({ events: [garbage], latest: null, pending: 1 }, signal);
  expect(delivery!.events).toEqual([
    {
      position: 'pubsub:AAAB',
      dataset: 'InvoiceLine__c',
      op: 'overflow',
      keys: [],
      row: null,
      untold: [],
      transaction: 'unread AAAB',
      committedAtMs: 0,
      stampMs: null,
      writer: '',
      raw: { replayId: 'AAAB', id: 'e', schemaId: 's', format: 'avro', payload: garbage.payload },
    },
  ]);
  expect(createDecoder(plans, ['Account']).decode(garbage, '', signal)).toBeNull();
});

test('CometD without UUIDs: two events of one replay id are told apart by their records', async () => {
  const decoder: EventDecoder = {
    decode: ({ payload }, position) =>
      ({ position, keys: [(payload as JsonPayload).id], dataset: 'Order_Shipped__e' }) as unknown as StreamEvent,
  };
  const reader = createMessageReader('cometd', decoder, '0', true);
  const events = ['a', 'b'].map((id): RawEvent => ({ replayId: '7', id: '', schemaId: '', payload: { id } }));
  const { delivery } = await reader.read({ events, latest: null, pending: 1 }, signal);
  expect(delivery!.events.map(({ raw }) => raw)).toEqual(
    ['a', 'b'].map((id) => ({
      replayId: '7',
      id,
      schemaId: 'Order_Shipped__e',
      format: 'json',
      payload: Buffer.from(JSON.stringify({ id })),
    })),
  );
});
