import { fold } from '../org/database.ts';
import { errors } from './errors.ts';
import { BayeuxError } from './types.ts';

/** A record, by the fields of a topic's query. */
export type TopicRecord = Readonly<Record<string, unknown>>;

/**
 * The filter of a subscription: `Industry='Energy'&ShippingCity='San Francisco'`. An `&` means OR, and there are no other
 * comparisons (Streaming API Developer Guide, "Filtered Subscriptions").
 *
 * @param fields  Those of the topic's query that the subscriber sees: it can ask for no others.
 * @throws {BayeuxError}
 */
export function readTopicFilter(expression: string, fields: readonly string[]): (record: TopicRecord) => boolean {
  const names = new Map(fields.map((name) => [name.toLowerCase(), name]));
  const tests = [...expression.matchAll(condition)].map(([, written = '', value = '']) => {
    const name = names.get(written.toLowerCase());
    if (name === undefined) throw new BayeuxError(errors.filterField(written));
    return { name, value: /^'.*'$/s.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : value };
  });
  if (expression.replaceAll(condition, '') !== '' || tests.length === 0) throw new BayeuxError(errors.filter(expression));
  return (record) => tests.some(({ name, value }) => isSame(record[name] ?? null, value));
}

const condition = /(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^'&]+)(?:&|$)/gsy;

/** Text is compared as SOQL does it, without regard to case. */
function isSame(actual: unknown, wanted: string): boolean {
  if (typeof actual === 'number') return actual === Number(wanted);
  return fold(String(actual)) === fold(wanted);
}
