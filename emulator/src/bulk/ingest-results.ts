import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { FilePage } from '../http/api-types.ts';
import { delimiterOf, lineBreakOf } from './csv-format.ts';
import type { IngestEntry } from './ingest-entry.ts';
import { JobFailure } from './ingest-types.ts';
import { headerOf, unprocessedLines } from './ingest-work.ts';
import { createResultFile, quotedLine } from './result-file.ts';

export type IngestResult = 'successful' | 'failed' | 'unprocessed';

/** One of the three files that a job leaves. Rows that nobody worked on are rendered when they are first asked for. */
export async function resultPage(entry: IngestEntry, which: IngestResult): Promise<FilePage> {
  if (which === 'unprocessed') {
    entry.unprocessed ??= renderUnprocessed(entry);
    return entry.unprocessed;
  }
  const head = headOf(entry, ['sf__Id', which === 'failed' ? 'sf__Error' : 'sf__Created']);
  return entry.files ? entry.files[which].page(head) : emptyPage(entry, head);
}

async function renderUnprocessed(entry: IngestEntry): Promise<FilePage> {
  const { job, upload, progress, withoutRest } = entry;
  const head = headOf(entry, []);
  if (!upload || withoutRest) return emptyPage(entry, head);
  const file = createResultFile(`${entry.path}.unprocessed`, entry.seed + 2);
  const from = progress ?? { processed: 0, failed: 0, batches: upload.batches, batchesDone: 0, recordsDone: 0 };
  for (const lines of unprocessedLines(upload, job, from)) {
    file.add(lines);
    file.flush();
    await letOthersRun();
  }
  file.close();
  return file.page(head);
}

const emptyPage = ({ path }: IngestEntry, head: Buffer): FilePage => ({ path, head, start: 0, end: 0 });

/** Header cells as uploaded, behind those of the server in quotes (recorded: results of an Opportunity job). */
function headOf({ job, upload }: IngestEntry, own: readonly string[]): Buffer {
  let header: readonly string[] = [];
  try {
    if (upload) header = headerOf(upload, job);
  } catch (error) {
    if (!(error instanceof JobFailure)) throw error;
  }
  const cells = [...own.map((name) => quotedLine([name], '', '')), ...header];
  return Buffer.from(cells.length === 0 ? '' : cells.join(delimiterOf(job.columnDelimiter)) + lineBreakOf(job.lineEnding));
}
