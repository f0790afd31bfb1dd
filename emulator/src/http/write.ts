import type { Transaction } from '../org/types.ts';
import type { ApiRequest } from './api-types.ts';
import type { EmulatorContext } from './context.ts';
import { writeOptions } from './write-options.ts';

/** Writes in the transaction of the Composite call around the request, or in one of its own. */
export function write<T>(request: ApiRequest, { org }: EmulatorContext, work: (transaction: Transaction) => T): T {
  if (request.transaction) return work(request.transaction);
  return org.write(work, writeOptions(request));
}
