import { type IngestJob, ingestPaces as paces } from '../../bulk/ingest-types.ts';
import type { EmulatorContext } from '../context.ts';
import type { BackdoorRequest, BackdoorRoute } from './backdoor.ts';
import { readNumber, refuseUnknown } from './read.ts';

/** Bulk ingest jobs as the server sees them, and who moves them on. */
export const ingestRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/ingest', answer: (_request, context) => state(context) },
  {
    method: 'POST',
    path: '/ingest',
    answer({ body }, context) {
      const { ingest } = context;
      refuseUnknown(body, ['pace', 'delayMs', 'bytesMax']);
      const pace = paces.find((name) => name === body.pace);
      if (body.pace !== undefined && !pace) throw new TypeError(`'pace' must be one of ${paces.join(', ')}`);
      ingest.pace = pace ?? ingest.pace;
      ingest.delayMs = readNumber(body, 'delayMs', ingest.delayMs);
      ingest.bytesMax = readNumber(body, 'bytesMax', ingest.bytesMax);
      return state(context);
    },
  },
  { method: 'GET', path: '/ingest/:id', answer: (request, { ingest }) => facts(ingest.find(known(request, ingest))!) },
  {
    method: 'POST',
    path: '/ingest/:id/step',
    answer(request, { ingest }) {
      refuseUnknown(request.body, ['records']);
      const records = request.body.records === undefined ? undefined : readNumber(request.body, 'records');
      return facts(ingest.step(known(request, ingest), records));
    },
  },
];

const state = ({ ingest: { pace, delayMs, bytesMax, list } }: EmulatorContext) => ({
  pace,
  delayMs,
  bytesMax,
  jobs: list().map(facts),
});

const facts = ({ writes, ...job }: IngestJob) => ({ ...job, origin: writes.origin });

function known({ params }: BackdoorRequest, ingest: EmulatorContext['ingest']): string {
  const id = params.id as string;
  if (!ingest.find(id)) throw new TypeError(`there is no ingest job '${id}'`);
  return id;
}
