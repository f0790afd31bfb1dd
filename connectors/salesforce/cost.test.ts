import { evidence } from '@tidemark/emulator';
import { expect, test } from 'vitest';
import { readAll, signal, testOrg } from './fixture.ts';

// What `plan` says a run will cost the org is what it costs (P8): the budget of an org is planned with it.

test.each([
  ['REST', { object: 'Contact' }],
  ['Bulk', { object: 'Contact', bulkAbove: 0, pageRows: 500 }],
])(
  `a full read by %s costs about the calls that were announced ${evidence('documented', 'Salesforce limits, API Request Limits and Allocations')}`,
  async (_, from) => {
    await using org = await testOrg({ fill: { Contact: 4_300 } });
    const source = await org.open({ from });
    const announced = (await source.cost!('full', signal))!;
    org.calls();
    const mark = await source.mark(signal);
    await readAll(source);
    for await (const _batch of source.readDelta!(mark!, signal));
    // How often a job is asked after depends on how long it takes: that alone is guessed.
    const asked = org.emulator.requests.totals().byKind['bulk.status'] ?? 0;
    const made = org.calls() - asked;
    expect(made).toBeLessThanOrEqual(announced);
    expect(announced - made).toBeLessThanOrEqual(4);
  },
);

test(`a delta costs one call ${evidence('documented', 'REST API Developer Guide, Composite')}`, async () => {
  await using org = await testOrg({ records: 100 });
  const source = await org.open({ from: { object: 'Contact' } });
  const mark = await source.mark(signal);
  const announced = await source.cost!('delta', signal);
  org.calls();
  for await (const _batch of source.readDelta!(mark!, signal));
  expect(org.calls()).toBe(announced);
});
