import { badRequest } from '../http/errors.ts';
import type { Upload } from '../http/request-body.ts';

/** Content that may come together with the job (Bulk API 2.0 Developer Guide, "Create a Job", multipart). */
const contentCharactersMax = 100_000;

/** A job and its content in one request: the parts `job` (JSON) and `content` (CSV). @throws {SalesforceError} */
export async function readMultipart(upload: Upload): Promise<{ job: unknown; content: Buffer }> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of upload.content()) chunks.push(chunk);
  const headers = { 'content-type': upload.contentType };
  let parts: Awaited<ReturnType<Response['formData']>>;
  try {
    parts = await new Response(new Uint8Array(Buffer.concat(chunks)), { headers }).formData();
  } catch {
    throw badRequest('CLIENTINPUTERROR', 'The multipart request cannot be read');
  }
  const job = parts.get('job');
  const content = parts.get('content');
  if (job === null || content === null) throw badRequest('CLIENTINPUTERROR', "The parts 'job' and 'content' are required");
  const csv = typeof content === 'string' ? Buffer.from(content) : Buffer.from(await content.arrayBuffer());
  // Characters are at most as many as bytes: most contents need not be counted.
  if (csv.length > contentCharactersMax && csv.toString().length > contentCharactersMax) {
    throw badRequest('CLIENTINPUTERROR', `The content of a multipart request is limited to ${contentCharactersMax} characters`);
  }
  return { job: parseJob(typeof job === 'string' ? job : await job.text()), content: csv };
}

function parseJob(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw badRequest('JSON_PARSER_ERROR', error instanceof Error ? error.message : String(error));
  }
}
