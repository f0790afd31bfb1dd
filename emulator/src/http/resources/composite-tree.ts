import type { SalesforceError, Transaction } from '../../org/types.ts';
import type { ChildRelationship, ObjectDescribe } from '../../schema/types.ts';
import type { Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { asSalesforceError, badRequest, recordError } from '../errors.ts';
import { asRecord, objectNamed, readValues } from '../record-body.ts';
import { detailsFor } from '../record-details.ts';
import { write } from '../write.ts';

/** REST API Developer Guide, "sObject Tree". */
const recordsMax = 200;
const depthMax = 5;
const typesMax = 5;

interface Node {
  referenceId: string;
  object: ObjectDescribe;
  body: Record<string, unknown>;
  /** How it hangs on its parent. */
  link: ChildRelationship | undefined;
  children: Node[];
}

interface NodeError {
  referenceId: string;
  errors: ReturnType<typeof recordError>[];
}

/** `POST /composite/tree/Account`: records with their children, all created or none. */
export const compositeTree: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  const { records } = asRecord(request.body);
  if (!Array.isArray(records) || records.length === 0) throw badRequest('REQUIRED_FIELD_MISSING', 'records is required');
  const roots = records.map((record) => readNode(asRecord(record), object, undefined, context, 1));
  checkSize(roots);
  const created: { referenceId: string; id: string }[] = [];
  const failures: NodeError[] = [];
  const version = request.version.text;
  const details = detailsFor({ ...request, version }, context);
  const fail = (error: SalesforceError) => recordError(error, version, details);
  const insertAll = (transaction: Transaction) => {
    for (const root of roots) insert(root, undefined, { transaction, created, failures, fail });
    if (failures.length > 0) throw new TreeRefused();
  };
  try {
    write(request, context, insertAll);
  } catch (error) {
    if (!(error instanceof TreeRefused)) throw error;
    return { status: 400, body: { hasErrors: true, results: failures } };
  }
  return { status: 201, body: { hasErrors: false, results: created } };
};

/** Carries the end of the call out of its transaction. */
class TreeRefused extends Error {}

/** What inserting a tree goes by, and what comes of it. */
interface Insertion {
  transaction: Transaction;
  created: { referenceId: string; id: string }[];
  failures: NodeError[];
  fail(error: SalesforceError): NodeError['errors'][number];
}

function insert(node: Node, parentId: string | undefined, insertion: Insertion): void {
  const { transaction, created, failures, fail } = insertion;
  const values = readValues(node.object, node.body);
  if (node.link && parentId !== undefined) values[node.link.field] = parentId;
  let id: string;
  try {
    id = transaction.insert(node.object.name, values).id;
  } catch (error) {
    // Its children cannot be tried without it; what else fails is told as well.
    failures.push({ referenceId: node.referenceId, errors: [fail(asSalesforceError(error))] });
    return;
  }
  created.push({ referenceId: node.referenceId, id });
  for (const child of node.children) insert(child, id, insertion);
}

function readNode(
  record: Record<string, unknown>,
  object: ObjectDescribe,
  link: ChildRelationship | undefined,
  context: EmulatorContext,
  depth: number,
): Node {
  const { type, referenceId } = asRecord(record.attributes ?? {});
  if (typeof type !== 'string' || type.toLowerCase() !== object.name.toLowerCase()) {
    throw badRequest('INVALID_TYPE', `Include a valid type attribute for each ${object.name} in the tree`);
  }
  if (typeof referenceId !== 'string' || referenceId === '') {
    throw badRequest('INVALID_INPUT', 'Include a reference ID for each record in the tree');
  }
  if (depth > depthMax) throw badRequest('LIMIT_EXCEEDED', `Cannot have more than ${depthMax} levels in a tree`);
  const node: Node = { referenceId, object, body: {}, link, children: [] };
  for (const [name, value] of Object.entries(record)) {
    const relation = object.childRelationships.find((entry) => entry.relationshipName?.toLowerCase() === name.toLowerCase());
    if (!relation) {
      node.body[name] = value;
      continue;
    }
    const child = objectNamed(relation.childSObject, context);
    const { records } = asRecord(value);
    if (!Array.isArray(records)) throw badRequest('INVALID_INPUT', `${name} must hold a list of records`);
    node.children.push(...records.map((inner) => readNode(asRecord(inner), child, relation, context, depth + 1)));
  }
  return node;
}

function checkSize(roots: readonly Node[]): void {
  const nodes: Node[] = [];
  const visit = (node: Node) => {
    nodes.push(node);
    node.children.forEach(visit);
  };
  roots.forEach(visit);
  if (nodes.length > recordsMax) throw badRequest('LIMIT_EXCEEDED', `Cannot have more than ${recordsMax} records in a tree`);
  if (new Set(nodes.map((node) => node.object.name)).size > typesMax) {
    throw badRequest('LIMIT_EXCEEDED', `Cannot have more than ${typesMax} types of records in a tree`);
  }
  const repeated = nodes.find(({ referenceId }, index) => nodes.findIndex((node) => node.referenceId === referenceId) < index);
  if (repeated) throw badRequest('INVALID_INPUT', `Duplicate ReferenceId provided in the request: ${repeated.referenceId}`);
}
