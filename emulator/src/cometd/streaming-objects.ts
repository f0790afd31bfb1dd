import { declareObject } from '../schema/declare.ts';
import { always, checkbox, double, idLookup, isName, picklist, readOnly, required, restricted, text } from '../schema/fields.ts';
import { audit, identity } from '../schema/system-fields.ts';

const without = ['layoutable', 'triggerable', 'feedEnabled', 'mruEnabled', 'searchable'] as const;
const byDefault = { defaultValue: true };

/** Object Reference, "PushTopic". `NotifyForOperations` is derived by Salesforce and was for versions up to 28.0. */
export const pushTopicObject = declareObject('PushTopic', { label: 'Push Topic', keyPrefix: '0IF', without }, [
  ...identity('Push Topic ID'),
  text('Name', 'Topic Name', 25, required, isName, idLookup, { unique: true }),
  text('Query', 'SOQL Query', 1300, required, { filterable: false, sortable: false, groupable: false }),
  double('ApiVersion', 'API Version', 18, 1, required),
  checkbox('IsActive', 'Is Active', byDefault, always),
  picklist('NotifyForFields', 'Notify For Fields', '*Referenced|All|Select|Where', restricted, always),
  picklist('NotifyForOperations', 'Notify For Operations', 'Create|Update|*All|Extended', restricted, always, readOnly),
  text('Description', 'Description', 400, always),
  ...audit(),
  checkbox('NotifyForOperationCreate', 'Create', byDefault, always),
  checkbox('NotifyForOperationUpdate', 'Update', byDefault, always),
  checkbox('NotifyForOperationDelete', 'Delete', byDefault, always),
  checkbox('NotifyForOperationUndelete', 'Undelete', byDefault, always),
]);

/** Object Reference, "StreamingChannel": a channel of generic events. */
export const streamingChannelObject = declareObject(
  'StreamingChannel',
  { label: 'Streaming Channel', keyPrefix: '0M6', without },
  [
    ...identity('Streaming Channel ID'),
    text('Name', 'Streaming Channel Name', 80, required, isName, idLookup, { unique: true }),
    text('Description', 'Description', 255, always),
    ...audit(),
  ],
);
