/**
 * What somebody writes who installed the package, by file. Each `@ts-expect-error` stands above something wrong: without types, or
 * with looser ones, nothing would be wrong there, which the compiler then complains of.
 */
export const typedModules: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  'tidemark.yaml': `
    connections: { app: { type: sqlite, path: ./app.db } }
    syncs:
      orders:
        from: { run: ./source.ts, key: id }
        steps: [{ run: ./step.ts }]
        to: { connection: app, table: orders }
  `,
  'source.ts': `
    import { type SourceBatch, type SourceContext, type SourceModule, TransientError } from 'tidemark';
    interface Order { id: string; total: number; placedAt: Date }
    export const fields: SourceModule['fields'] = { id: 'text', total: 'double', placedAt: 'datetime' };
    let isBusy = true;
    export default async function* ({ cursor, signal }: SourceContext): AsyncGenerator<SourceBatch> {
      if (isBusy) {
        isBusy = false;
        throw new TransientError('the shop is busy');
      }
      const records: Order[] = [{ id: 'o-1', total: 300, placedAt: new Date(0) }];
      yield { records, cursor: (cursor ?? '') + '1' };
      // @ts-expect-error a cursor is text
      if (signal.aborted) yield { records, cursor: 1 };
      // @ts-expect-error records are objects
      if (signal.aborted) yield { records: ['o-1'] };
    }
    // @ts-expect-error there is no such type
    export const others: SourceModule['fields'] = { id: 'string' };
  `,
  'step.ts': `
    import type { PolicyModule, StepModule } from 'tidemark';
    export const fields: StepModule['fields'] = { dear: 'boolean' };
    const step: StepModule['default'] = (orders, { log }) => {
      log.info({ orders: orders.length }, 'looking for dear ones');
      return orders.map((order) => ({ ...order, dear: Number(order.total) > 200 }));
    };
    export default step;
    // @ts-expect-error a date is text, as all that is no number and no truth
    export const dated: StepModule['default'] = (orders, { now }) => orders.map((order) => ({ ...order, seen: now() }));
    // @ts-expect-error the context has no such member
    export const asking: StepModule['default'] = (orders, { query }) => orders;
    export const decide: PolicyModule['default'] = ({ base, left, right }) => (left === base ? right : left);
  `,
  'emulator.ts': `
    import { createClock, type Emulator, startEmulator } from 'tidemark/emulator';
    const clock = createClock();
    clock.freeze(Date.parse('2026-03-04T05:06:07Z'));
    const emulator: Emulator = await startEmulator({ clock, records: 10, listen: false });
    emulator.faults.add({ kind: 'unavailable', match: { times: 1 } });
    // @ts-expect-error there is no such fault
    export const misspelt = () => emulator.faults.add({ kind: 'unavailble' });
    emulator.org.write((transaction) => transaction.insert('Contact', { LastName: 'Kent' }));
    console.log((await emulator.fetch(emulator.url + '/services/data')).status);
    await emulator.close();
  `,
};
