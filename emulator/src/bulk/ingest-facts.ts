import { restDatetime } from '../http/dates.ts';
import type { IngestJob } from './ingest-types.ts';

/** A job as replies tell of it. Which keys are there, and in which order, is as recorded for jobs of Opportunity. */

/** What closing or aborting answers. */
export function briefFacts(job: IngestJob): Record<string, unknown> {
  return {
    id: job.id,
    operation: job.operation,
    object: job.object,
    createdById: job.userId,
    createdDate: restDatetime(job.createdAtMs),
    systemModstamp: restDatetime(job.changedAtMs),
    state: job.state,
    ...(job.externalIdFieldName === undefined ? {} : { externalIdFieldName: job.externalIdFieldName }),
    ...(job.assignmentRuleId === undefined ? {} : { assignmentRuleId: job.assignmentRuleId }),
    concurrencyMode: 'Parallel',
    contentType: 'CSV',
    apiVersion: job.apiVersion,
  };
}

const format = ({ lineEnding, columnDelimiter }: IngestJob) => ({ lineEnding, columnDelimiter });

/** Where the content goes; without a slash at its beginning, and only while it may go there. */
const contentUrl = ({ state, apiVersion, id }: IngestJob) =>
  state === 'Open' ? { contentUrl: `services/data/v${apiVersion}.0/jobs/ingest/${id}/batches` } : {};

/** What creating answers. */
export const createdFacts = (job: IngestJob) => ({ ...briefFacts(job), ...contentUrl(job), ...format(job) });

/** One job of the list. */
export const listedFacts = (job: IngestJob) => ({
  ...briefFacts(job),
  jobType: 'V2Ingest',
  ...contentUrl(job),
  ...format(job),
});

/** What asking for the state answers. */
export const fullFacts = (job: IngestJob) => ({
  ...listedFacts(job),
  numberRecordsProcessed: job.recordsProcessed,
  numberRecordsFailed: job.recordsFailed,
  retries: job.retries,
  totalProcessingTime: job.processingMs,
  apiActiveProcessingTime: job.processingMs,
  apexProcessingTime: 0,
  ...(job.errorMessage === undefined ? {} : { errorMessage: job.errorMessage }),
});
