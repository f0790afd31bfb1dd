import type { FieldDescribe, PicklistValue } from '../types.ts';
import type { Element } from './xml.ts';

/** Values by the name of a global value set of the same folder. */
export type GlobalValueSets = ReadonlyMap<string, PicklistValue[]>;

export interface PicklistSource {
  values: PicklistValue[];
  restricted: boolean;
  controller: string | null;
  /** Which controlling values allow a value: a dependent picklist. */
  allowedBy: ReadonlyMap<string, readonly string[]>;
  /** A value set that the folder does not hold. */
  missingSet?: string;
}

/** Reads `<valueSet>`, or `<picklist>` as it was until API 38. */
export function readPicklist(field: Element, globals: GlobalValueSets): PicklistSource {
  const legacy = field.child('picklist');
  if (legacy) {
    return {
      values: ordered(legacy, readValues(legacy.children('picklistValues'))),
      restricted: legacy.boolean('restrictedPicklist'),
      controller: legacy.text('controllingField') ?? null,
      allowedBy: new Map(
        legacy
          .children('picklistValues')
          .map((value) => [value.requiredText('fullName'), value.texts('controllingFieldValues')] as const)
          .filter(([, allowed]) => allowed.length > 0),
      ),
    };
  }
  const set = field.child('valueSet');
  if (!set) throw field.problem('valueSet', 'is missing: a picklist needs its values');
  const name = set.text('valueSetName');
  const definition = set.child('valueSetDefinition');
  const global = name === undefined ? undefined : globals.get(name);
  const values = definition ? ordered(definition, readValues(definition.children('value'))) : (global ?? []);
  return {
    values: values.map((value) => ({ ...value })),
    // A global value set is always restricted.
    restricted: set.boolean('restricted') || name !== undefined,
    controller: set.text('controllingField') ?? null,
    allowedBy: new Map(
      set.children('valueSettings').map((setting) => [setting.requiredText('valueName'), setting.texts('controllingFieldValue')]),
    ),
    ...(name !== undefined && !global ? { missingSet: name } : {}),
  };
}

export function readValues(elements: readonly Element[]): PicklistValue[] {
  return elements.map((element) => {
    const value = element.requiredText('fullName');
    return {
      active: element.text('isActive') !== 'false',
      defaultValue: element.boolean('default'),
      label: element.text('label') ?? value,
      validFor: null,
      value,
    };
  });
}

export function ordered(set: Element, values: PicklistValue[]): PicklistValue[] {
  return set.boolean('sorted') ? values.sort((a, b) => (a.label < b.label ? -1 : 1)) : values;
}

/**
 * Marks each value with the controlling values that allow it: a base64 bitmap, first bit first, by the position of the
 * controlling value (REST guide, "sObject Describe", validFor). A controlling checkbox has the positions false, true.
 */
export function setValidFor(field: FieldDescribe, controller: FieldDescribe, allowedBy: PicklistSource['allowedBy']): void {
  const positions = controller.type === 'boolean' ? ['false', 'true'] : controller.picklistValues.map((value) => value.value);
  for (const value of field.picklistValues) {
    const bits = Buffer.alloc(Math.max(1, Math.ceil(positions.length / 8)));
    for (const allowed of allowedBy.get(value.value) ?? []) {
      const position = positions.indexOf(allowed);
      if (position >= 0) bits[position >> 3]! |= 0x80 >> (position & 7);
    }
    value.validFor = bits.toString('base64');
  }
}
