import type { WriteOptions } from '../org/types.ts';
import type { ApiRequest } from './api-types.ts';

/** Headers of a call that also hold for the writes it carries. */
const carried = ['sforce-call-options', 'sforce-duplicate-rule-header'];

/** `client=a, defaultNamespace=b`, with semicolons or commas between: both are seen. */
function optionsOf(header: string | undefined): Map<string, string> {
  const pairs = (header ?? '').split(/[;,]/).flatMap((part) => {
    const [, name, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value] as const];
  });
  return new Map(pairs);
}

/**
 * How a write of this request shows in change events, and what it may do.
 * @param api  `rest`, `bulkapi`: Change Data Capture Developer Guide, "Change Event Header Fields", changeOrigin
 */
export function writeOptions(request: Pick<ApiRequest, 'headers' | 'userId' | 'version'>, api = 'rest'): WriteOptions {
  const client = optionsOf(request.headers['sforce-call-options']).get('client');
  const duplicates = optionsOf(request.headers['sforce-duplicate-rule-header']).get('allowsave');
  return {
    userId: request.userId,
    origin: `com/salesforce/api/${api}/${request.version.text.slice(1)}${client ? `;client=${client}` : ''}`,
    allowDuplicates: duplicates?.toLowerCase() === 'true',
  };
}

/** Whether a refused duplicate is to name the fields of the records that it equals, and not their ids alone. */
export const wantsRecordDetails = ({ headers }: Pick<ApiRequest, 'headers'>): boolean =>
  optionsOf(headers['sforce-duplicate-rule-header']).get('includerecorddetails')?.toLowerCase() === 'true';

/** The headers of a subrequest: its own, and of the call around it those that hold for writes. */
export function subrequestHeaders(
  own: Readonly<Record<string, string>>,
  around: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const inherited = carried.flatMap((name) => (around[name] === undefined ? [] : [[name, around[name]] as const]));
  return { ...Object.fromEntries(inherited), ...own };
}
