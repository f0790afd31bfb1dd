import { SalesforceError } from '../../org/types.ts';
import type { ManagedSubscription } from '../../pubsub/managed-subscriptions.ts';
import type { Handler } from '../api-types.ts';
import { badRequest } from '../errors.ts';

const shape = /^\s*SELECT\s+[\w\s,.]+?\s+FROM\s+(\w+)(?:\s+WHERE\s+(Id|DeveloperName)\s*=\s*'([^']*)')?(?:\s+LIMIT\s+\d+)?\s*$/i;

/**
 * `GET /tooling/query` as far as public clients ask it: managed event subscriptions by id or developer name, with all
 * that they have whatever the query selects (Tooling API, ManagedEventSubscription).
 */
export const toolingQuery: Handler = ({ query, version }, { managedSubscriptions }) => {
  const [, object, by, value] = shape.exec(query.get('q') ?? '') ?? [];
  if (object === undefined) throw badRequest('MALFORMED_QUERY', 'unexpected token in a Tooling query of this emulator');
  if (object.toLowerCase() !== 'managedeventsubscription') {
    throw new SalesforceError('INVALID_TYPE', `sObject type '${object}' is not supported.`, { httpStatus: 400 });
  }
  const named = (each: ManagedSubscription) =>
    by?.toLowerCase() === 'developername' ? each.developerName === value : each.id === value || each.id.slice(0, 15) === value;
  const records = managedSubscriptions
    .list()
    .filter((each) => by === undefined || named(each))
    .map(({ id, developerName, label, topicName, defaultReplay, errorRecoveryReplay, state }) => ({
      attributes: {
        type: 'ManagedEventSubscription',
        url: `/services/data/${version.text}/tooling/sobjects/ManagedEventSubscription/${id}`,
      },
      Id: id,
      DeveloperName: developerName,
      Metadata: { defaultReplay, errorRecoveryReplay, label, state, topicName, urls: null, version: null },
    }));
  const size = records.length;
  return {
    status: 200,
    body: { size, totalSize: size, done: true, queryLocator: null, entityTypeName: 'ManagedEventSubscription', records },
  };
};
