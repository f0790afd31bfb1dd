import { declareObject } from '../declare.ts';
import {
  always,
  checkbox,
  combobox,
  date,
  datetime,
  int,
  isName,
  picklist,
  reference,
  required,
  restricted,
  system,
  text,
  textarea,
} from '../fields.ts';
import { audit, idField, isDeleted, owner } from '../system-fields.ts';
import { recurrence, recurrenceActivity, reminder, what, who } from './activity.ts';

export const task = declareObject('Task', { label: 'Task', keyPrefix: '00T' }, [
  idField('Activity ID'),
  who('Tasks'),
  what('Tasks'),
  combobox('Subject', 'Subject', 'Call|Send Letter|Send Quote|Other', isName),
  date('ActivityDate', 'Due Date Only', { aggregatable: false }),
  picklist('Status', 'Status', '*Not Started|In Progress|Completed|Waiting on someone else|Deferred', required),
  picklist('Priority', 'Priority', 'High|*Normal|Low', required),
  checkbox('IsHighPriority', 'High Priority', system),
  owner(['Group', 'User'], 'Assigned To ID'),
  textarea('Description', 'Description', 32000),
  isDeleted(),
  reference('AccountId', 'Account ID', 'Account', {}, system),
  checkbox('IsClosed', 'Closed', system),
  ...audit(),
  checkbox('IsArchived', 'Archived', system),
  int('CallDurationInSeconds', 'Call Duration', 8),
  picklist('CallType', 'Call Type', 'Internal|Inbound|Outbound'),
  text('CallDisposition', 'Call Result', 255),
  text('CallObject', 'Call Object Identifier', 255),
  ...reminder(),
  recurrenceActivity('Task', 'RecurringTasks'),
  checkbox('IsRecurrence', 'Create Recurring Series of Tasks', always, { updateable: false }),
  date('RecurrenceStartDateOnly', 'Recurrence Start', always),
  ...recurrence(),
  picklist(
    'RecurrenceRegeneratedType',
    'Repeat This Task',
    'RecurrenceRegenerateAfterDueDate=After due date|RecurrenceRegenerateAfterToday=After date completed|' +
      'RecurrenceRegenerated=Task Closed',
    restricted,
    always,
  ),
  picklist('TaskSubtype', 'Task Subtype', 'Task|Email|ListEmail=List Email|Cadence|Call', restricted, always, {
    updateable: false,
  }),
  datetime('CompletedDateTime', 'Completed Date', system),
]);
