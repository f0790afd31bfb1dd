import type { FieldDefinition } from '@tidemark/core';
import { fieldElements } from './field-element.ts';
import type { MadeEvent, MadeObject } from './plan-package.ts';
import { component, type Elements } from './xml.ts';

type Files = Iterable<readonly [path: string, text: string]>;

/** An object, its fields and its page, below the folder of a package. */
export function* objectFiles({ name, made, fields }: MadeObject): Files {
  if (made !== null) {
    const { label, plural, nameIsText } = made;
    const nameField = nameIsText
      ? { label: `${label} Name`, type: 'Text' }
      : { displayFormat: '{00000000}', label: `${label} Number`, type: 'AutoNumber' };
    yield [
      `objects/${name}/${name}.object-meta.xml`,
      component('CustomObject', {
        deploymentStatus: 'Deployed',
        ...{ enableActivities: false, enableBulkApi: true, enableHistory: false, enableReports: true },
        ...{ enableSearch: true, enableSharing: true, enableStreamingApi: true },
        ...{ label, nameField, pluralLabel: plural, sharingModel: 'ReadWrite' },
      }),
    ];
  }
  yield* fieldFiles(name, fields);
  if (made !== null) yield [`layouts/${name}-${made.label} Layout.layout-meta.xml`, layout(made.nameIsText, fields)];
}

/** A platform event (Metadata API Developer Guide, "CustomObject", eventType). */
export function* eventFiles({ name, label, plural, publish, fields }: MadeEvent): Files {
  yield [
    `objects/${name}/${name}.object-meta.xml`,
    component('CustomObject', {
      ...{ deploymentStatus: 'Deployed', eventType: 'HighVolume', label, pluralLabel: plural },
      publishBehavior: publish === 'after-commit' ? 'PublishAfterCommit' : 'PublishImmediately',
    }),
  ];
  yield* fieldFiles(name, fields);
}

function* fieldFiles(object: string, fields: ReadonlyMap<string, FieldDefinition>): Files {
  for (const [name, field] of fields) {
    const text = component('CustomField', fieldElements(object, name, field));
    yield [`objects/${object}/fields/${name}.field-meta.xml`, text];
  }
}

/** The page on which people see a record (Metadata API Developer Guide, "Layout"). */
function layout(nameIsText: boolean, fields: ReadonlyMap<string, FieldDefinition>): string {
  const item = (field: string, behavior: string) => ({ behavior, field });
  const own = [...fields].map(([name, { required }]) => item(name, required ? 'Required' : 'Edit'));
  const section = (label: string, left: readonly Elements[], right: readonly Elements[]) => ({
    ...{ customLabel: false, detailHeading: true, editHeading: true, label },
    layoutColumns: [{ layoutItems: left }, { layoutItems: right }],
    style: 'TwoColumnsTopToBottom',
  });
  const half = Math.ceil(own.length / 2);
  const left = [item('Name', nameIsText ? 'Required' : 'Readonly'), ...own.slice(0, half)];
  const right = [item('OwnerId', 'Edit'), ...own.slice(half)];
  return component('Layout', {
    layoutSections: [
      section('Information', left, right),
      section('System Information', [item('CreatedById', 'Readonly')], [item('LastModifiedById', 'Readonly')]),
    ],
    ...{ showEmailCheckbox: false, showHighlightsPanel: false, showInteractionLogPanel: false },
    ...{ showRunAssignmentRulesCheckbox: false, showSubmitAndAttachButton: false },
  });
}
