import { declareObject, type ObjectDeclaration } from '../declare.ts';
import { defaulted, type FieldDeclaration, idLookup, isName, notNull, readOnly, text } from '../fields.ts';
import { nextKeyPrefix } from '../key-prefix.ts';
import { audit, idField, isDeleted, lastActivity, owner, viewed } from '../system-fields.ts';
import type { Schema } from '../types.ts';
import { hasDecoration, plainNumbers } from './custom-field.ts';
import type { SourceNote } from './problems.ts';
import type { Element } from './xml.ts';

/** Elements that do not show in the API, or only in the user interface. */
const withoutEffect = [
  'actionOverrides',
  'allowInChatterGroups',
  'compactLayoutAssignment',
  'deploymentStatus',
  'deprecated',
  'description',
  'enableBulkApi',
  'enableHistory',
  'enableLicensing',
  'enableReports',
  'enableSharing',
  'enableStreamingApi',
  'externalSharingModel',
  'gender',
  'household',
  'listViews',
  'profileSearchLayouts',
  'searchLayouts',
  'sharingModel',
  'startsWith',
  'visibility',
];

/** The elements of `<CustomObject>` that describe it as a whole, and `<fields>`, which are read elsewhere. */
export function readCustomObject(
  element: Element,
  name: string,
  keyPrefix: string,
  fields: readonly FieldDeclaration[],
): { declaration: ObjectDeclaration; notes: SourceNote[] } {
  const label = element.text('label') ?? name;
  const isDetail = fields.some(({ describe }) => describe.relationshipOrder !== null);
  const isSetting = element.has('customSettingsType');
  const declaration = declareObject(
    name,
    {
      label,
      plural: element.text('pluralLabel') ?? label,
      keyPrefix,
      custom: true,
      without: [
        ...(element.boolean('enableFeeds') ? [] : ['feedEnabled' as const]),
        ...(element.boolean('enableSearch') ? [] : ['searchable' as const]),
        ...(isSetting ? (['layoutable', 'triggerable', 'mruEnabled'] as const) : []),
      ],
    },
    [
      idField('Record ID'),
      // A detail belongs to whom its master belongs.
      ...(isDetail || isSetting ? [] : [owner(['Group', 'User'])]),
      isDeleted(),
      nameField(element, name),
      ...audit(),
      ...(element.boolean('enableActivities') ? [lastActivity()] : []),
      ...(isSetting ? [] : viewed()),
      ...fields,
    ],
  );
  declaration.object.customSetting = isSetting;
  const notes: SourceNote[] = [];
  if (isSetting) {
    notes.push({
      file: element.file,
      element: `${element.path}.customSettingsType`,
      message: 'is taken for a list: values per user and profile are not supported',
    });
  }
  if (hasDecoration(element.child('nameField')?.text('displayFormat'))) {
    notes.push({ file: element.file, element: `${element.path}.nameField.displayFormat`, message: plainNumbers });
  }
  for (const ignored of withoutEffect) element.has(ignored);
  element.has('fields');
  for (const unknown of element.unread()) {
    notes.push({ file: element.file, element: `${element.path}.${unknown}`, message: 'is not used here' });
  }
  return { declaration, notes };
}

function nameField(element: Element, object: string): FieldDeclaration {
  const declared = element.child('nameField');
  const label = declared?.text('label') ?? `${element.text('label') ?? object} Name`;
  if (declared?.text('type') === 'AutoNumber') {
    return text('Name', label, 80, isName, idLookup, readOnly, notNull, defaulted, { autoNumber: true, permissionable: false });
  }
  return text('Name', label, 80, isName, idLookup, defaulted, { permissionable: false });
}

/** Custom objects get `a00`, `a01`, … */
export const nextCustomKeyPrefix = (schema: Schema, taken: ReadonlySet<string> = new Set()): string =>
  nextKeyPrefix(schema, 'a', taken);
