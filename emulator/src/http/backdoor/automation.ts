import type { Flow, FlowAction, FlowValue } from '../../automation/flows.ts';
import type { FormulaField } from '../../automation/formula-fields.ts';
import type { RollUp } from '../../automation/roll-ups.ts';
import type { ValidationRule } from '../../automation/validation-rules.ts';
import type { EmulatorContext } from '../context.ts';
import type { BackdoorRequest, BackdoorRoute } from './backdoor.ts';
import { readList, readNumber, readObject, readText, refuseUnknown } from './read.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What an administrator sets up to happen by itself, as data. Triggers are code and for tests in process only. */
export const automationRoutes: readonly BackdoorRoute[] = [
  {
    method: 'GET',
    path: '/automation',
    answer: (_request, { automation }) => ({
      validationRules: automation.validationRules.list(),
      flows: automation.flows.list(),
      triggers: automation.triggers.list(),
      formulas: automation.formulas.list(),
      rollUps: automation.rollUps.list(),
    }),
  },
  { method: 'POST', path: '/automation/validation-rules', answer: defineValidationRule },
  {
    method: 'DELETE',
    path: '/automation/validation-rules/:object/:name',
    answer: ({ params }, { automation }) => ({
      removed: automation.validationRules.remove(params.object as string, params.name as string),
    }),
  },
  { method: 'POST', path: '/automation/flows', answer: defineFlow },
  {
    method: 'DELETE',
    path: '/automation/flows/:name',
    answer: ({ params }, { automation }) => ({ removed: automation.flows.remove(params.name as string) }),
  },
  { method: 'POST', path: '/automation/formulas', answer: defineFormula },
  { method: 'POST', path: '/automation/roll-ups', answer: defineRollUp },
];

/** `{"object": "Account", "name": "Positive", "message": "…", "errorFormula": "AnnualRevenue < 0", "field": "AnnualRevenue"}` */
function defineValidationRule({ body }: BackdoorRequest, { automation }: EmulatorContext): void {
  refuseUnknown(body, ['object', 'name', 'message', 'field', 'errorFormula', 'errorWhere']);
  const rule: ValidationRule = {
    ...{ object: readText(body, 'object'), name: readText(body, 'name'), message: readText(body, 'message') },
    ...texts(body, ['field', 'errorFormula', 'errorWhere']),
  };
  automation.validationRules.define(rule);
}

/**
 * `{"name": "Ship", "object": "Order", "on": ["update"], "where": "Status = 'Activated'", "onlyWhenItBecomesTrue": true,
 * "actions": [{"publish": "Shipped__e", "values": {"Order_Id__c": {"formula": "Id"}}}]}`
 */
function defineFlow({ body }: BackdoorRequest, { automation }: EmulatorContext): void {
  refuseUnknown(body, ['name', 'object', 'on', 'where', 'formula', 'onlyWhenItBecomesTrue', 'actions']);
  const flow: Flow = {
    name: readText(body, 'name'),
    object: readText(body, 'object'),
    on: readList(body, 'on') as Flow['on'],
    actions: readList(body, 'actions').map(readAction),
    onlyWhenItBecomesTrue: body.onlyWhenItBecomesTrue === true,
    ...texts(body, ['where', 'formula']),
  };
  automation.flows.define(flow);
}

function readAction(value: unknown): FlowAction {
  const fields = readObject({ action: value }, 'action');
  if (fields.set !== undefined) {
    refuseUnknown(fields, ['set']);
    return { set: readValues(fields, 'set') };
  }
  refuseUnknown(fields, [fields.publish === undefined ? 'create' : 'publish', 'values']);
  const values = readValues(fields, 'values');
  if (fields.publish !== undefined) return { publish: readText(fields, 'publish'), values };
  return { create: readText(fields, 'create'), values };
}

function readValues(fields: Fields, name: string): Record<string, FlowValue> {
  const values = readObject(fields, name);
  for (const [field, value] of Object.entries(values)) {
    if (value === null || typeof value !== 'object') continue;
    const formula = readObject(values, field);
    refuseUnknown(formula, ['formula']);
    readText(formula, 'formula');
  }
  return values as Record<string, FlowValue>;
}

/** `{"object": "Contact", "field": "Initials__c", "type": "text", "formula": "LEFT(FirstName, 1) & LEFT(LastName, 1)"}` */
function defineFormula({ body }: BackdoorRequest, { automation }: EmulatorContext): void {
  refuseUnknown(body, ['object', 'field', 'type', 'label', 'scale', 'formula', 'blanksAsZero']);
  const field = {
    ...{ object: readText(body, 'object'), field: readText(body, 'field'), formula: readText(body, 'formula') },
    ...texts(body, ['type', 'label']),
    ...(body.scale === undefined ? {} : { scale: readNumber(body, 'scale') }),
    ...(body.blanksAsZero === undefined ? {} : { blanksAsZero: body.blanksAsZero === true }),
  };
  automation.formulas.define(field as FormulaField);
}

/** `{"object": "Account", "field": "Open__c", "child": "Opportunity", "reference": "AccountId", "operation": "sum", "summarized": "Amount", "where": "IsClosed = FALSE"}` */
function defineRollUp({ body }: BackdoorRequest, { automation }: EmulatorContext): void {
  refuseUnknown(body, ['object', 'field', 'label', 'child', 'reference', 'operation', 'summarized', 'where']);
  const operation = readText(body, 'operation');
  if (!['count', 'sum', 'min', 'max'].includes(operation)) throw new TypeError("'operation' must be count, sum, min or max");
  const rollUp = {
    ...{ object: readText(body, 'object'), field: readText(body, 'field') },
    ...{ child: readText(body, 'child'), reference: readText(body, 'reference'), operation },
    ...texts(body, ['label', 'summarized', 'where']),
  };
  automation.rollUps.define(rollUp as RollUp);
}

/** Those of them that are given. */
function texts(body: Fields, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.filter((name) => body[name] !== undefined).map((name) => [name, readText(body, name)]));
}
