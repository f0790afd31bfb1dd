import { expect, test } from 'vitest';
import type { FieldMapping, StepConfig } from './config.ts';
import { originOf } from './field-origin.ts';

const mapping = (fields: Record<string, string>): ReadonlyMap<string, FieldMapping> =>
  new Map(
    Object.entries(fields).map(([name, from]): [string, FieldMapping] => [
      name,
      from.startsWith('=') ? { kind: 'expression', expression: from.slice(1), reads: null } : { kind: 'field', field: from },
    ]),
  );
const map = (fields: Record<string, string>) => ({ kind: 'map', fields: mapping(fields) }) as unknown as StepConfig;
const run = { kind: 'run' } as unknown as StepConfig;
const filter = { kind: 'filter' } as unknown as StepConfig;
const lookup = { kind: 'lookup', fields: new Map([['score', 'Score']]) } as unknown as StepConfig;

test('a field is followed back through mappings as far as it is what it was', () => {
  expect(originOf({ fields: null, steps: [] }, 'Email')).toBe('Email');
  const steps = [map({ Mail: 'Email', Shout: '=$uppercase(Name)' }), filter, lookup];
  const fields = mapping({ mail: 'Mail', shout: 'Shout', score: 'score', made: "='x'" });
  expect(originOf({ fields, steps }, 'mail')).toBe('Email');
  for (const made of ['shout', 'score', 'made']) expect(originOf({ fields, steps }, made)).toBeNull();
  expect(originOf({ fields, steps }, 'Id')).toBe('Id');
});

test('behind a function of the user nothing is said of where a field is from', () => {
  expect(originOf({ fields: mapping({ mail: 'Email' }), steps: [run] }, 'mail')).toBeNull();
  expect(originOf({ fields: null, steps: [run, map({ mail: 'Email' })] }, 'mail')).toBeNull();
});
