import type { Element } from './xml.ts';

/** A record-triggered flow of a source folder. Formulas are as they stand there: `{!$Record.Website}`. */
export interface FlowSource {
  name: string;
  file: string;
  object: string;
  on: ('create' | 'update')[];
  /** Entry conditions: a formula, or filters with their logic. Neither: every record. */
  formula?: string;
  filters: FlowFilter[];
  /** `and`, `or`, `1 AND (2 OR 3)`. */
  filterLogic: string;
  onlyWhenItBecomesTrue: boolean;
  creates: FlowCreate[];
}

export interface FlowFilter {
  field: string;
  operator: string;
  value: FlowOperand;
}

/** `<recordCreates>`: of a platform event it publishes. */
export interface FlowCreate {
  object: string;
  values: { field: string; value: FlowOperand }[];
}

/** A value as it is, a field of the record (`$Record.Id`), or a formula over it. */
export type FlowOperand = { literal: string | number | boolean | null } | { field: string } | { formula: string };

/** Elements that do nothing when a record is saved. */
const withoutEffect = [
  ...['apiVersion', 'areMetricsLoggedToDataCloud', 'customProperties', 'description', 'environments', 'interviewLabel', 'label'],
  ...[
    'formulas',
    'processMetadataValues',
    'processType',
    'recordCreates',
    'runInMode',
    'sourceTemplate',
    'status',
    'triggerOrder',
  ],
];

const kinds: Readonly<Record<string, FlowSource['on']>> = {
  Create: ['create'],
  Update: ['update'],
  CreateAndUpdate: ['create', 'update'],
};

/**
 * `Publish.flow-meta.xml` (Metadata API guide, "Flow"): started by a saved record, creating others. Null for one that is not
 * active; a text says why this org cannot run it.
 */
export function readFlow(element: Element, name: string): FlowSource | string | null {
  const start = element.child('start');
  if (element.text('status') !== 'Active') return null;
  if (start?.text('triggerType') !== 'RecordAfterSave') return 'is not started by a record that was saved';
  for (const ignored of withoutEffect) element.has(ignored);
  const beyond = element.unread().filter((child) => child !== 'start');
  if (beyond.length > 0) return `has ${beyond.map((child) => `<${child}>`).join(', ')}, which is not run here`;
  const on = kinds[start.requiredText('recordTriggerType')];
  if (!on) return `is started by ${start.text('recordTriggerType')}, which is not known here`;
  if (start.has('scheduledPaths')) return 'has scheduled paths, which are not run here';

  const formulas = new Map(
    element.children('formulas').map((formula) => [formula.requiredText('name'), formula.requiredText('expression')]),
  );
  const creates = new Map(element.children('recordCreates').map((create) => [create.requiredText('name'), create]));
  const inOrder: FlowCreate[] = [];
  for (let next = targetOf(start); next !== undefined; ) {
    const create = creates.get(next);
    if (!create) throw start.problem('connector.targetReference', `names ${next}, which is not in the flow`);
    if (!creates.delete(next)) throw create.problem('connector', 'leads in a circle');
    if (create.has('inputReference')) return 'creates a record out of a variable, which is not run here';
    inOrder.push(readCreate(create, formulas));
    next = targetOf(create);
  }
  const formula = start.text('filterFormula');
  return {
    ...{ name, file: element.file, object: start.requiredText('object'), on: [...on], creates: inOrder },
    ...(formula === undefined ? {} : { formula }),
    filters: start.children('filters').map((filter) => ({
      field: filter.requiredText('field'),
      operator: filter.requiredText('operator'),
      value: readOperand(filter, formulas),
    })),
    filterLogic: start.text('filterLogic') ?? 'and',
    onlyWhenItBecomesTrue: start.boolean('doesRequireRecordChangedToMeetCriteria'),
  };
}

const targetOf = (element: Element): string | undefined => element.child('connector')?.requiredText('targetReference');

function readCreate(create: Element, formulas: ReadonlyMap<string, string>): FlowCreate {
  return {
    object: create.requiredText('object'),
    values: create
      .children('inputAssignments')
      .map((assignment) => ({ field: assignment.requiredText('field'), value: readOperand(assignment, formulas) })),
  };
}

/** `<value>`: one of several kinds, and no value at all is null. */
function readOperand(owner: Element, formulas: ReadonlyMap<string, string>): FlowOperand {
  const value = owner.child('value');
  if (!value) return { literal: null };
  const reference = value.text('elementReference');
  if (reference !== undefined) {
    const field = /^\$Record\.([\w.]+)$/.exec(reference)?.[1];
    return field === undefined ? { formula: formulas.get(reference) ?? `{!${reference}}` } : { field };
  }
  const number = value.text('numberValue');
  if (number !== undefined) return { literal: Number(number) };
  if (value.has('booleanValue')) return { literal: value.boolean('booleanValue') };
  return { literal: value.text('stringValue') ?? value.text('dateValue') ?? value.text('dateTimeValue') ?? null };
}
