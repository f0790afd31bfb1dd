import type { Access } from '../access/access.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { RollingLimit } from '../limits/rolling-limit.ts';
import { type CommittedTransaction, type Org, type RecordChange, SalesforceError } from '../org/types.ts';
import { errors } from './errors.ts';
import { matchingRecords, type PushTopicQuery, readPushTopicQuery } from './push-topic.ts';
import { replayStruck } from './replay-faults.ts';
import { createRetainedLog, type RetainedLog } from './retained-log.ts';
import { readTopicFilter, type TopicRecord } from './topic-filter.ts';
import { BayeuxError, type StreamChannel } from './types.ts';

type EventType = 'created' | 'updated' | 'deleted' | 'undeleted';

interface TopicEvent {
  type: EventType;
  /** With all fields of the query, for filters to test; of a deleted record only the id is told. */
  sobject: TopicRecord;
}

interface PushTopic {
  readonly soql: string;
  /** Undefined once it names what was removed: then the topic is silent. */
  query: PushTopicQuery | undefined;
  readonly log: RetainedLog<TopicEvent>;
  fields: 'All' | 'Referenced' | 'Select' | 'Where';
  types: ReadonlySet<EventType>;
}

/** The org's PushTopics: records that say which changes are told on `/topic/<Name>`. */
export interface PushTopics {
  /**
   * `/topic/T`, or with a filter `/topic/T?Industry='Energy'`.
   * @throws {BayeuxError} there is no such topic, or the user may not hear it.
   */
  channel(name: string, userId: string): StreamChannel;
}

const typeOf: Partial<Record<RecordChange['kind'], EventType>> = {
  create: 'created',
  update: 'updated',
  delete: 'deleted',
  undelete: 'undeleted',
  purge: 'deleted',
};

const definitions =
  'SELECT Id, Name, Query, NotifyForFields, NotifyForOperationCreate, NotifyForOperationUpdate, NotifyForOperationDelete, ' +
  'NotifyForOperationUndelete FROM PushTopic WHERE IsActive = true';

export function createPushTopics(parts: {
  org: Org;
  access: Access;
  faults: FaultList;
  allocation: RollingLimit;
  appended(): void;
}): PushTopics {
  const { org, access, faults, allocation } = parts;
  const topics = new Map<string, PushTopic>();
  let watching = false;

  /** Until there is a topic, commits need not be looked at. */
  function watch(): void {
    if (watching) return;
    watching = true;
    org.onCommit(tell);
  }

  function refresh(): void {
    const result = org.query(definitions);
    const records = result.page(0, result.totalSize, 'v62.0') as Record<string, unknown>[];
    const names = new Set<string>();
    for (const record of records) {
      const name = String(record.Name);
      names.add(name);
      define(name, record);
    }
    for (const name of topics.keys()) if (!names.has(name)) topics.delete(name);
    if (topics.size > 0) watch();
  }

  function understood(soql: string): PushTopicQuery | undefined {
    try {
      return readPushTopicQuery(org.schema, soql);
    } catch (error) {
      if (error instanceof SalesforceError) return undefined;
      throw error;
    }
  }

  function define(name: string, record: Record<string, unknown>): void {
    const soql = String(record.Query);
    const known = topics.get(name);
    const types = new Set<EventType>();
    if (record.NotifyForOperationCreate) types.add('created');
    if (record.NotifyForOperationUpdate) types.add('updated');
    if (record.NotifyForOperationDelete) types.add('deleted');
    if (record.NotifyForOperationUndelete) types.add('undeleted');
    const fields = (record.NotifyForFields ?? 'Referenced') as PushTopic['fields'];
    const query = known?.soql === soql ? known.query : understood(soql);
    topics.set(name, { soql, query, fields, types, log: known?.log ?? createRetainedLog(org.clock) });
  }

  function tell({ changes }: CommittedTransaction): void {
    if (changes.some(({ object }) => object === 'PushTopic')) refresh();
    let told = false;
    for (const topic of topics.values()) told = tellTopic(topic, changes) || told;
    if (told) parts.appended();
  }

  function tellTopic({ query, types, fields, log }: PushTopic, changes: readonly RecordChange[]): boolean {
    if (!query) return false;
    const concerned = changes.filter((change) => {
      if (change.object !== query.object) return false;
      const type = typeOf[change.kind];
      if (type === undefined || !types.has(type)) return false;
      // Who leaves the recycle bin was told to be deleted when it got there.
      if (change.kind === 'purge' && change.before?.IsDeleted === 1) return false;
      return type !== 'updated' || concerns(query, fields, change);
    });
    if (concerned.length === 0) return false;
    const matching = matchingRecords(
      org,
      query,
      concerned.map(({ id }) => id),
    );
    let told = false;
    for (const { id, kind } of concerned) {
      const type = typeOf[kind] as EventType;
      const sobject = matching.get(id);
      // A purged record can be asked nothing more: it is told when the topic takes every record.
      if (!sobject && !(kind === 'purge' && query.where === '')) continue;
      log.append({ type, sobject: sobject ?? { Id: id } });
      told = true;
    }
    return told;
  }

  // PushTopics are checked as they are saved; and from the first one on, commits are listened to.
  org.automate({
    objects: ['PushTopic'],
    validate({ row, kind }) {
      if (kind !== 'delete') readPushTopicQuery(org.schema, String(row.Query));
    },
    afterSave: watch,
  });
  org.schema.onChange(() => {
    for (const topic of topics.values()) topic.query = understood(topic.soql);
  });
  refresh();

  return {
    channel(channelName, userId) {
      refresh();
      const [, name = '', expression] = /^\/topic\/([^?]*)(?:\?(.*))?$/s.exec(channelName) ?? [];
      const topic = topics.get(name);
      if (!topic?.query) throw new BayeuxError(errors.noChannel(channelName));
      const { query, log } = topic;
      const sees = (field: string) => access.canSeeField(userId, query.object, field);
      if (!access.canRead(userId, 'PushTopic')) throw new BayeuxError(errors.notEnabled);
      if (!access.canRead(userId, query.object)) throw new BayeuxError(errors.noEntity);
      if (!query.whereFields.every(sees)) throw new BayeuxError(errors.hiddenWhere);
      const passes = expression === undefined ? () => true : readTopicFilter(expression, query.fields.filter(sees));
      const shown = ({ type, sobject }: TopicEvent) =>
        Object.fromEntries(Object.entries(sobject).filter(([field]) => (type === 'deleted' ? field === 'Id' : sees(field))));
      return {
        name: channelName,
        allocation,
        namesClient: true,
        resolve: (replayId) => log.resolve(replayStruck(faults, channelName, replayId)),
        read(after, max) {
          const { events, next } = log.read(after, max);
          const passed = events.filter(({ content }) => passes(content.sobject));
          const seen = passed.map(({ replayId, createdDate, content }) => ({
            data: () => ({ event: { createdDate, replayId, type: content.type }, sobject: shown(content) }),
          }));
          return { events: seen, next };
        },
      };
    },
  };
}

/** Whether an update is one that the topic looks at (Streaming API guide, "Notifications"). */
function concerns(query: PushTopicQuery, notifyFor: PushTopic['fields'], { before, after }: RecordChange): boolean {
  if (notifyFor === 'All') return true;
  const selected = notifyFor === 'Where' ? [] : query.fields;
  const tested = notifyFor === 'Select' ? [] : query.whereFields;
  return [...selected, ...tested].some((name) => (before?.[name] ?? null) !== (after[name] ?? null));
}
