import type { FieldDefinition, FlowValue, PackageFlow } from '@tidemark/core';
import { flowFormula } from './flow-formula.ts';
import { labelOf, type Names } from './names.ts';
import { component, type Elements } from './xml.ts';

/** What a formula yields for a field of an event (Metadata API Developer Guide, "Flow", FlowDataType). */
const dataTypes: { readonly [type: string]: string } = {
  Number: 'Number',
  Checkbox: 'Boolean',
  Date: 'Date',
  DateTime: 'DateTime',
};

/** A record-triggered Flow that publishes an event once the record is saved (Metadata API Developer Guide, "Flow"). */
export function flowFile(
  name: string,
  flow: PackageFlow,
  {
    fields,
    names,
    apiVersion,
  }: {
    readonly fields: ReadonlyMap<string, FieldDefinition>;
    readonly names: Names;
    readonly apiVersion: string;
  },
): string {
  const label = flow.label ?? labelOf(name);
  const spelled = (path: string) =>
    path
      .split('.')
      .map((each) => names.local(each))
      .join('.');
  const assigned = [...flow.fields].map(([field, value]) => ({ field: names.local(field), value }));
  const formulas = assigned.flatMap(({ field, value }): Elements[] => {
    if (value.kind !== 'formula') return [];
    const definition = fields.get(field);
    const dataType = dataTypes[definition?.type ?? ''] ?? 'String';
    const expression = flowFormula(value.formula, spelled);
    return [{ name: formulaName(field), dataType, expression, ...(dataType === 'Number' && { scale: definition?.scale ?? 0 }) }];
  });
  const reference = (field: string, value: FlowValue) =>
    value.kind === 'formula' ? formulaName(field) : `$Record.${spelled(value.field)}`;
  const publish = `Publish_${flow.event.replace(/__e$/, '')}`;
  return component('Flow', {
    apiVersion,
    environments: 'Default',
    formulas,
    interviewLabel: `${label} {!$Flow.CurrentDateTime}`,
    label,
    processMetadataValues: [
      { name: 'BuilderType', value: { stringValue: 'LightningFlowBuilder' } },
      { name: 'CanvasMode', value: { stringValue: 'AUTO_LAYOUT_CANVAS' } },
    ],
    processType: 'AutoLaunchedFlow',
    recordCreates: {
      ...{ name: publish, label: labelOf(publish), locationX: 176, locationY: 323 },
      inputAssignments: assigned.map(({ field, value }) => ({ field, value: { elementReference: reference(field, value) } })),
      object: flow.event,
      storeOutputAutomatically: true,
    },
    start: {
      ...{ locationX: 50, locationY: 0, connector: { targetReference: publish } },
      filterFormula: flow.when === null ? null : flowFormula(flow.when, spelled),
      object: names.local(flow.object),
      recordTriggerType: flow.on.length === 2 ? 'CreateAndUpdate' : flow.on[0] === 'create' ? 'Create' : 'Update',
      triggerType: 'RecordAfterSave',
    },
    status: flow.active ? 'Active' : 'Draft',
  });
}

const formulaName = (field: string) => `Value_of_${field.replace(/__c$/, '')}`;
