import type { DatasetSchema } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sqlitePlace } from './fixture.ts';
import { describeInbox } from './inbox-fixture.ts';
import { widened } from './queue.ts';

describeInbox('SQLite', sqlitePlace);

const schema = (name: string, length: number | undefined, scale?: number): DatasetSchema => ({
  name,
  key: ['id'],
  fields: [
    { name: 'id', type: 'text', nullable: false },
    {
      name: 'v',
      type: 'decimal',
      nullable: true,
      ...(length !== undefined && { length, precision: length }),
      ...(scale !== undefined && { scale }),
    },
  ],
});

test('whichever of several syncs has filled it last, a queue has the same fields', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.option(fc.nat(40), { nil: undefined }), fc.option(fc.nat(5), { nil: undefined })), {
        minLength: 1,
        maxLength: 5,
      }),
      (all) => {
        const schemas = all.map(([length, scale]) => schema('q', length, scale));
        const once = schemas.reduce<DatasetSchema | null>((known, each) => widened(known, each, 'q'), null);
        for (const each of schemas) expect(widened(once, each, 'q')).toEqual(once);
      },
    ),
  ));
