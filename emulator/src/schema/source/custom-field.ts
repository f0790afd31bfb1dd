import {
  type Changes,
  checkbox,
  currency,
  custom,
  customPicklist,
  date,
  datetime,
  double,
  email,
  type FieldDeclaration,
  field,
  percent,
  phone,
  readOnly,
  reference,
  text,
  textarea,
  url,
} from '../fields.ts';
import type { CalculationSource } from './calculations.ts';
import { readRollUp } from './calculations.ts';
import { type GlobalValueSets, type PicklistSource, readPicklist } from './picklist-values.ts';
import type { Element } from './xml.ts';

export interface CustomField {
  file: string;
  /** One field, or a location with its two parts. */
  declarations: FieldDeclaration[];
  /** Of a dependent picklist; its bitmaps can be made when all fields of the object are known. */
  picklist?: PicklistSource;
  /** Of a formula or a roll-up: how it is calculated. */
  calculation?: CalculationSource;
  /** What differs here from a real org. */
  notes: { element: string; message: string }[];
}

/** Elements that change nothing in what the API shows of a field, or only in the user interface. */
const withoutEffect = [
  'businessOwnerGroup',
  'businessOwnerUser',
  'businessStatus',
  'complianceGroup',
  'deprecated',
  'description',
  'fieldManageability',
  'isFilteringDisabled',
  'isNameField',
  'isSortingDisabled',
  'relationshipLabel',
  'securityClassification',
  'startingNumber',
  'stripMarkup',
  'trackFeedHistory',
  'trackHistory',
  'trackTrending',
  'visibleLines',
];

/** A `<CustomField>`, or `<fields>` inside an object, as a field declaration (Metadata API guide, "CustomField"). */
export function readCustomField(element: Element, name: string, globals: GlobalValueSets): CustomField {
  const notes: CustomField['notes'] = [];
  const note = (child: string, message: string) => notes.push({ element: `${element.path}.${child}`, message });
  const type = element.requiredText('type');
  const label = element.text('label') ?? name.replace(/__c$/, '').replaceAll('_', ' ');
  const read = readers[type];
  if (!read) throw element.problem('type', `is ${JSON.stringify(type)}, which no custom field has here`);

  const common: Changes = { ...custom, inlineHelpText: element.text('inlineHelpText') ?? null };
  if (element.boolean('required')) Object.assign(common, { nillable: false, permissionable: false });
  if (element.boolean('externalId')) Object.assign(common, { externalId: true, idLookup: true });
  if (element.boolean('unique')) Object.assign(common, { unique: true, caseSensitive: element.boolean('caseSensitive') });
  else element.boolean('caseSensitive');

  const formula = element.text('formula');
  if (formula !== undefined) {
    Object.assign(common, {
      ...readOnly,
      calculated: true,
      calculatedFormula: formula,
      formulaTreatNullNumberAsZero: element.text('formulaTreatBlanksAs') === 'BlankAsZero',
    });
  }
  const calculation: CalculationSource | undefined =
    formula !== undefined
      ? { kind: 'formula', formula, blanksAsZero: common.formulaTreatNullNumberAsZero === true }
      : type === 'Summary'
        ? readRollUp(element)
        : undefined;
  const picklist = type === 'Picklist' || type === 'MultiselectPicklist' ? readPicklist(element, globals) : undefined;
  if (picklist?.missingSet !== undefined) {
    note('valueSet.valueSetName', `names ${picklist.missingSet}, which the folder does not hold: any value is accepted`);
  }
  const declarations = read({ element, name, label, common, note, picklist, isFormula: formula !== undefined });
  // What cannot be calculated reads null, even a checkbox.
  for (const { describe } of declarations) {
    if (describe.calculated) Object.assign(describe, { nillable: true, defaultedOnCreate: false, defaultValue: null });
  }
  readDefault(element, declarations[0]!, note);

  if (element.has('lookupFilter')) note('lookupFilter', 'is not enforced');
  for (const ignored of withoutEffect) element.has(ignored);
  for (const unknown of element.unread()) note(unknown, 'is not used here');
  return { file: element.file, declarations, notes, ...(picklist ? { picklist } : {}), ...(calculation ? { calculation } : {}) };
}

interface Reading {
  element: Element;
  name: string;
  label: string;
  common: Changes;
  note: (element: string, message: string) => void;
  picklist: PicklistSource | undefined;
  isFormula: boolean;
}

/** How each metadata type shows in the API. */
const readers: Readonly<Record<string, (reading: Reading) => FieldDeclaration[]>> = {
  Text: ({ element, name, label, common, isFormula }) => [
    // The text of a formula may be longer than any text field.
    text(name, label, isFormula ? 1300 : element.integer('length', 1, 255), common),
  ],
  TextArea: ({ name, label, common }) => [textarea(name, label, 255, common)],
  LongTextArea: ({ element, name, label, common }) => [
    textarea(name, label, element.integer('length', 256, 131072, 32768), common),
  ],
  Html: ({ element, name, label, common }) => [
    textarea(name, label, element.integer('length', 256, 131072, 32768), common, {
      htmlFormatted: true,
      extraTypeInfo: 'richtextarea',
    }),
  ],
  EncryptedText: ({ element, name, label, common }) => {
    const length = element.integer('length', 1, 175);
    return [
      field(name, label, 'encryptedstring', { length, byteLength: 3 * length }, common, {
        filterable: false,
        sortable: false,
        groupable: false,
        aggregatable: false,
        mask: element.text('maskChar') ?? 'asterisk',
        maskType: element.text('maskType') ?? 'all',
      }),
    ];
  },
  Number: ({ name, label, common, ...rest }) => [double(name, label, ...digits(rest), common)],
  Currency: ({ name, label, common, ...rest }) => {
    const [precision, scale] = digits(rest);
    return [currency(name, label, scale, common, { precision })];
  },
  Percent: ({ name, label, common, ...rest }) => [percent(name, label, ...digits(rest), common)],
  Checkbox: ({ name, label, common }) => [checkbox(name, label, common)],
  Date: ({ name, label, common }) => [date(name, label, common)],
  DateTime: ({ name, label, common }) => [datetime(name, label, common)],
  Time: ({ name, label, common }) => [field(name, label, 'time', common)],
  Email: ({ name, label, common }) => [email(name, label, common)],
  Phone: ({ name, label, common }) => [phone(name, label, common)],
  Url: ({ name, label, common }) => [url(name, label, common)],
  Picklist: ({ name, label, common, picklist }) => [
    field(name, label, 'picklist', customPicklist, picklistChanges(picklist!), common),
  ],
  MultiselectPicklist: ({ element, name, label, common, picklist }) => [
    field(name, label, 'multipicklist', { length: 4099, byteLength: 4099 }, picklistChanges(picklist!), common, {
      precision: element.integer('visibleLines', 1, 10, 4),
    }),
  ],
  Lookup: (reading) => [lookup(reading, reading.element.requiredText('referenceTo'))],
  Hierarchy: (reading) => [lookup(reading, 'User')],
  MasterDetail: ({ element, name, label, common }) => [
    reference(
      name,
      label,
      element.requiredText('referenceTo'),
      { ...childName(element), onDelete: 'cascade' },
      common,
      { relationshipName: name.replace(/__c$/, '__r'), nillable: false, permissionable: false, cascadeDelete: true },
      {
        updateable: element.boolean('reparentableMasterDetail'),
        relationshipOrder: element.integer('relationshipOrder', 0, 1, 0),
        writeRequiresMasterRead: element.boolean('writeRequiresMasterRead'),
      },
    ),
  ],
  AutoNumber: ({ element, name, label, common, note }) => {
    const format = element.text('displayFormat');
    if (hasDecoration(format)) note('displayFormat', plainNumbers);
    return [
      text(name, label, 30, common, readOnly, {
        autoNumber: true,
        nillable: false,
        defaultedOnCreate: true,
      }),
    ];
  },
  // What it sums up may be declared in another file: the loader knows more.
  Summary: ({ name, label, common }) => [double(name, label, 18, 0, common, readOnly, { calculated: true })],
  Location: ({ element, name, label, common }) => {
    const scale = element.integer('scale', 0, 15);
    const displayLocationInDecimal = element.boolean('displayLocationInDecimal');
    const stem = name.replace(/__c$/, '');
    const part: Changes = { ...common, compoundFieldName: name, displayLocationInDecimal };
    return [
      field(name, label, 'location', common, readOnly, { displayLocationInDecimal }),
      double(`${stem}__Latitude__s`, `${label} (Latitude)`, 18, scale, part),
      double(`${stem}__Longitude__s`, `${label} (Longitude)`, 18, scale, part),
    ];
  },
};

/** Whether an auto-number's format is more than its digits. */
export const hasDecoration = (format: string | undefined): boolean => format !== undefined && !/^\{0+\}$/.test(format);
export const plainNumbers = 'is not used: numbers have no letters or dates';

function digits({ element, isFormula }: { element: Element; isFormula: boolean }): [precision: number, scale: number] {
  const precision = element.integer('precision', 1, 18, isFormula ? 18 : undefined);
  const scale = element.integer('scale', 0, 17, isFormula ? 2 : undefined);
  if (scale > precision) throw element.problem('scale', `is ${scale}, more than the precision ${precision}`);
  return [precision, scale];
}

function picklistChanges(picklist: PicklistSource): Changes {
  const preset = picklist.values.find((value) => value.defaultValue);
  return {
    picklistValues: picklist.values,
    // Without its values nothing can be checked.
    restrictedPicklist: picklist.restricted && picklist.missingSet === undefined,
    controllerName: picklist.controller,
    dependentPicklist: picklist.controller !== null,
    ...(preset ? { defaultValue: preset.value, defaultedOnCreate: true } : {}),
  };
}

const childName = (element: Element): { children?: string } => {
  const name = element.text('relationshipName');
  return name === undefined ? {} : { children: `${name}__r` };
};

function lookup({ element, name, label, common }: Reading, target: string): FieldDeclaration {
  const constraint = element.text('deleteConstraint') ?? 'SetNull';
  const onDelete = deleteConstraints[constraint];
  if (!onDelete)
    throw element.problem('deleteConstraint', `is ${JSON.stringify(constraint)}: SetNull, Cascade or Restrict was expected`);
  return reference(name, label, target, { ...childName(element), onDelete }, common, {
    relationshipName: name.replace(/__c$/, '__r'),
    cascadeDelete: onDelete === 'cascade',
    restrictedDelete: onDelete === 'restrict',
  });
}

const deleteConstraints: Readonly<Record<string, 'clear' | 'cascade' | 'restrict'>> = {
  SetNull: 'clear',
  Cascade: 'cascade',
  Restrict: 'restrict',
};

/** `<defaultValue>` is a formula. Literals are understood; the rest is shown and not evaluated. */
function readDefault(element: Element, { describe }: FieldDeclaration, note: Reading['note']): void {
  const formula = element.text('defaultValue');
  if (formula === undefined) return;
  if (describe.type === 'boolean') {
    describe.defaultValue = element.boolean('defaultValue');
    return;
  }
  describe.defaultValueFormula = formula;
  const literal = literalValue(formula);
  if (literal === undefined) {
    note('defaultValue', `${formula} is not evaluated: new records get no default`);
    return;
  }
  if (typeof literal === 'string' && numeric.has(describe.type)) {
    throw element.problem('defaultValue', `is a text for a field of type ${describe.type}`);
  }
  describe.defaultValue = literal;
  describe.defaultedOnCreate = true;
}

const numeric: ReadonlySet<string> = new Set(['double', 'currency', 'percent']);

function literalValue(formula: string): string | number | undefined {
  const quoted = /^(["'])((?:(?!\1)[^\\]|\\.)*)\1$/s.exec(formula);
  if (quoted) return quoted[2]!.replace(/\\(.)/gs, '$1');
  return /^-?\d+(\.\d+)?$/.test(formula) ? Number(formula) : undefined;
}
