import { identityUrl } from '../auth/token-endpoint.ts';
import * as ingest from '../bulk/ingest-routes.ts';
import { abortOrCloseJob, createJob, deleteJob, getJob, listJobs } from '../bulk/job-routes.ts';
import { jobResultPages, jobResults } from '../bulk/result-routes.ts';
import { pushGenericEvents } from '../cometd/push-route.ts';
import type { Handler, Route } from './api-types.ts';
import * as collections from './resources/collections.ts';
import { composite } from './resources/composite.ts';
import { compositeBatch } from './resources/composite-batch.ts';
import { compositeGraph } from './resources/composite-graph.ts';
import { compositeTree } from './resources/composite-tree.ts';
import * as describe from './resources/describe.ts';
import { eventSchemaById, eventSchemaByName } from './resources/event-schema.ts';
import { deleteByExternalId, getByExternalId, upsertByExternalId } from './resources/external-id.ts';
import { limits } from './resources/limits.ts';
import { query, queryAll, queryMore } from './resources/query.ts';
import { recordCount } from './resources/record-count.ts';
import { deleted, updated } from './resources/replication.ts';
import { createRow, deleteRow, getRow, updateRow } from './resources/sobject-rows.ts';
import { toolingQuery } from './resources/tooling-query.ts';
import * as tooling from './resources/tooling-sobjects.ts';
import { versionResources } from './versions.ts';

const resources: Handler = ({ version, userId }, context) => ({
  status: 200,
  body: versionResources(version, identityUrl(context, userId)),
});

/** Every data resource. The first route that fits is taken, so fixed names stand before variables. */
export const restRoutes: readonly Route[] = [
  { method: 'GET', path: '/', kind: 'resources', handler: resources },
  { method: 'GET', path: '/limits', kind: 'limits', handler: limits, batch: true },
  { method: 'GET', path: '/limits/recordCount', kind: 'recordCount', handler: recordCount, batch: true },

  { method: 'GET', path: '/query', kind: 'query', handler: query, composite: true },
  { method: 'GET', path: '/queryAll', kind: 'queryAll', handler: queryAll, composite: true },
  { method: 'GET', path: '/query/:locator', kind: 'queryMore', handler: queryMore, composite: true },
  { method: 'GET', path: '/queryAll/:locator', kind: 'queryMore', handler: queryMore, composite: true },

  { method: 'GET', path: '/sobjects', kind: 'describeGlobal', handler: describe.global, composite: true },
  { method: 'GET', path: '/sobjects/:object', kind: 'describeBasic', handler: describe.basic, composite: true },
  { method: 'POST', path: '/sobjects/:object', kind: 'sobject.create', handler: createRow, composite: true },
  { method: 'GET', path: '/sobjects/:object/describe', kind: 'describe', handler: describe.full, composite: true },
  { method: 'GET', path: '/sobjects/:object/eventSchema', kind: 'eventSchema', handler: eventSchemaByName },
  { method: 'GET', path: '/event/eventSchema/:id', kind: 'eventSchema', handler: eventSchemaById },
  { method: 'GET', path: '/sobjects/:object/updated', kind: 'updated', handler: updated, composite: true },
  { method: 'GET', path: '/sobjects/:object/deleted', kind: 'deleted', handler: deleted, composite: true },
  // From version 37.0 on: an upsert without an id yet, which is an insert.
  { method: 'POST', path: '/sobjects/:object/Id', kind: 'sobject.create', handler: createRow, composite: true },
  { method: 'GET', path: '/sobjects/:object/:id', kind: 'sobject.get', handler: getRow, composite: true },
  { method: 'PATCH', path: '/sobjects/:object/:id', kind: 'sobject.update', handler: updateRow, composite: true },
  { method: 'DELETE', path: '/sobjects/:object/:id', kind: 'sobject.delete', handler: deleteRow, composite: true },
  { method: 'POST', path: '/sobjects/StreamingChannel/:id/push', kind: 'streaming.push', handler: pushGenericEvents },
  { method: 'GET', path: '/sobjects/:object/:field/:value', kind: 'sobject.get', handler: getByExternalId, composite: true },
  {
    method: 'PATCH',
    path: '/sobjects/:object/:field/:value',
    kind: 'sobject.upsert',
    handler: upsertByExternalId,
    composite: true,
  },
  {
    method: 'DELETE',
    path: '/sobjects/:object/:field/:value',
    kind: 'sobject.delete',
    handler: deleteByExternalId,
    composite: true,
  },

  { method: 'POST', path: '/composite', kind: 'composite', handler: composite },
  { method: 'POST', path: '/composite/graph', kind: 'composite.graph', handler: compositeGraph },
  { method: 'POST', path: '/composite/batch', kind: 'composite.batch', handler: compositeBatch },
  { method: 'POST', path: '/composite/tree/:object', kind: 'composite.tree', handler: compositeTree },
  {
    method: 'POST',
    path: '/composite/sobjects',
    kind: 'collections.create',
    handler: collections.createCollection,
    composite: true,
    batch: false,
  },
  {
    method: 'PATCH',
    path: '/composite/sobjects',
    kind: 'collections.update',
    handler: collections.updateCollection,
    composite: true,
    batch: false,
  },
  {
    method: 'DELETE',
    path: '/composite/sobjects',
    kind: 'collections.delete',
    handler: collections.deleteCollection,
    composite: true,
    batch: false,
  },
  {
    method: 'GET',
    path: '/composite/sobjects/:object',
    kind: 'collections.retrieve',
    handler: collections.retrieveCollection,
    composite: true,
    batch: false,
  },
  {
    method: 'POST',
    path: '/composite/sobjects/:object',
    kind: 'collections.retrieve',
    handler: collections.retrieveCollection,
    composite: true,
    batch: false,
  },
  {
    method: 'PATCH',
    path: '/composite/sobjects/:object/:field',
    kind: 'collections.upsert',
    handler: collections.upsertCollection,
    composite: true,
    batch: false,
  },

  { method: 'GET', path: '/tooling/query', kind: 'tooling.query', handler: toolingQuery },
  { method: 'GET', path: '/tooling/sobjects', kind: 'tooling.describe', handler: tooling.toolingDescribeGlobal },
  { method: 'GET', path: '/tooling/sobjects/:object', kind: 'tooling.describe', handler: tooling.toolingDescribeBasic },
  { method: 'POST', path: '/tooling/sobjects/:object', kind: 'tooling.create', handler: tooling.createComponent },
  { method: 'GET', path: '/tooling/sobjects/:object/describe', kind: 'tooling.describe', handler: tooling.toolingDescribe },
  { method: 'GET', path: '/tooling/sobjects/:object/:id', kind: 'tooling.get', handler: tooling.getComponent },
  { method: 'PATCH', path: '/tooling/sobjects/:object/:id', kind: 'tooling.update', handler: tooling.updateComponent },
  { method: 'DELETE', path: '/tooling/sobjects/:object/:id', kind: 'tooling.delete', handler: tooling.deleteComponent },

  { method: 'GET', path: '/jobs/query', kind: 'bulk.list', handler: listJobs },
  { method: 'POST', path: '/jobs/query', kind: 'bulk.create', handler: createJob },
  { method: 'GET', path: '/jobs/query/:id', kind: 'bulk.status', handler: getJob },
  { method: 'PATCH', path: '/jobs/query/:id', kind: 'bulk.abort', handler: abortOrCloseJob },
  { method: 'DELETE', path: '/jobs/query/:id', kind: 'bulk.delete', handler: deleteJob },
  { method: 'GET', path: '/jobs/query/:id/results', kind: 'bulk.results', handler: jobResults },
  { method: 'GET', path: '/jobs/query/:id/resultPages', kind: 'bulk.resultPages', handler: jobResultPages },

  { method: 'GET', path: '/jobs/ingest', kind: 'ingest.list', handler: ingest.listJobs },
  { method: 'POST', path: '/jobs/ingest', kind: 'ingest.create', handler: ingest.createJob, uploads: true },
  { method: 'GET', path: '/jobs/ingest/:id', kind: 'ingest.status', handler: ingest.getJob },
  { method: 'PATCH', path: '/jobs/ingest/:id', kind: 'ingest.close', handler: ingest.closeOrAbortJob },
  { method: 'DELETE', path: '/jobs/ingest/:id', kind: 'ingest.delete', handler: ingest.deleteJob },
  { method: 'PUT', path: '/jobs/ingest/:id/batches', kind: 'ingest.upload', handler: ingest.uploadContent, uploads: true },
  { method: 'GET', path: '/jobs/ingest/:id/successfulResults', kind: 'ingest.results', handler: ingest.successfulResults },
  { method: 'GET', path: '/jobs/ingest/:id/failedResults', kind: 'ingest.results', handler: ingest.failedResults },
  { method: 'GET', path: '/jobs/ingest/:id/unprocessedrecords', kind: 'ingest.results', handler: ingest.unprocessedRecords },
];
