import type { Row } from 'tidemark';

export const fields = { RecordId: 'text', RequestedAt: 'datetime' } as const;

/** Most records in one request. */
const RECORDS_MAX = 100;

/** A request as a row for each record that it names. The event's id stays in each, so that many requests are taken at once. */
export default function recordIds(events: readonly Row[]): Row[] {
  return events.flatMap(({ EventUuid = null, CreatedDate = null, Record_Ids__c }) => {
    const ids = String(Record_Ids__c ?? '')
      .split(/[\s,;]+/)
      .filter(Boolean);
    if (ids.length === 0) throw new Error('the request names no record');
    if (ids.length > RECORDS_MAX) throw new Error(`the request names ${ids.length} records; ${RECORDS_MAX} are the most`);
    return ids.map((RecordId) => ({ EventUuid, RecordId, RequestedAt: CreatedDate }));
  });
}
