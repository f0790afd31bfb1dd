import type { ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { writeOptions } from '../write-options.ts';
import { referencesOf } from './composite-references.ts';
import { type NamedSubrequest, readSubrequests, runAllOrNone } from './composite-run.ts';

/** REST API Developer Guide, "Composite Graph" and its limits. */
const versionMin = 50;
const graphsMax = 75;
const nodesMax = 500;
const depthMax = 15;
const kindsMax = 15;

interface Graph {
  graphId: string;
  nodes: NamedSubrequest[];
}

/** `POST /composite/graph`: several graphs of record requests; each graph happens whole or not at all. */
export const compositeGraph: Handler = async (request, context) => {
  if (request.version.number < versionMin) throw badRequest('NOT_FOUND', 'The requested resource does not exist');
  const graphs = readGraphs(asRecord(request.body).graphs);
  const results = [];
  for (const graph of graphs) results.push(await runGraph(graph, request, context));
  return { status: 200, body: { graphs: results } };
};

async function runGraph({ graphId, nodes }: Graph, request: ApiRequest, { org }: EmulatorContext) {
  const single = nodes.map((node) => [node]);
  const { responses, done } = await runAllOrNone(single, request, () => org.begin(writeOptions(request)));
  return { graphId, graphResponse: { compositeResponse: responses }, isSuccessful: done };
}

function readGraphs(value: unknown): Graph[] {
  if (!Array.isArray(value) || value.length === 0) throw badRequest('REQUIRED_FIELD_MISSING', 'graphs is required');
  if (value.length > graphsMax) throw exceeded(`Maximum number of graphs (${graphsMax}) exceeded`);
  const graphs = value.map(readGraph);
  if (new Set(graphs.map((graph) => graph.graphId)).size < graphs.length) {
    throw badRequest('INVALID_INPUT', 'Each graphId must be unique');
  }
  const nodes = graphs.reduce((sum, graph) => sum + graph.nodes.length, 0);
  if (nodes > nodesMax) throw exceeded(`Maximum number of nodes (${nodesMax}) in a payload exceeded`);
  return graphs;
}

function readGraph(value: unknown): Graph {
  const { graphId, compositeRequest } = asRecord(value);
  if (typeof graphId !== 'string' || !/^[A-Za-z0-9]\w{0,39}$/.test(graphId)) {
    throw badRequest('INVALID_INPUT', `A graph has no valid graphId: ${String(graphId)}`);
  }
  const nodes = readSubrequests(compositeRequest);
  const foreign = nodes.find((node) => !recordUrl.test(node.url));
  if (foreign) throw badRequest('INVALID_INPUT', `The resource ${foreign.url} cannot be called within a composite graph`);
  if (new Set(nodes.map(kindOf)).size > kindsMax) throw exceeded(`Maximum number of distinct nodes (${kindsMax}) exceeded`);
  if (depthOf(nodes) > depthMax) throw exceeded(`Maximum depth of a graph (${depthMax}) exceeded`);
  return { graphId, nodes };
}

/** Rows, by id or external id. */
const recordUrl = /^\/services\/data\/v\d+\.0\/sobjects\/(\w+)(\/[^?]*)?(\?|$)/;

const exceeded = (message: string) => badRequest('LIMIT_EXCEEDED', message);

/** Nodes are of one kind when they have method and object in common. */
const kindOf = ({ method, url }: NamedSubrequest) => `${method} ${recordUrl.exec(url)?.[1]?.toLowerCase()}`;

/** The longest chain of references. */
function depthOf(nodes: readonly NamedSubrequest[]): number {
  const depths = new Map<string, number>();
  for (const node of nodes) {
    const parents = referencesOf(node).map((id) => depths.get(id) ?? 0);
    depths.set(node.referenceId, 1 + Math.max(0, ...parents));
  }
  return Math.max(0, ...depths.values());
}
