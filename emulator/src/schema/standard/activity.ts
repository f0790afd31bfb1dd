import {
  always,
  checkbox,
  date,
  datetime,
  type FieldDeclaration,
  int,
  picklist,
  reference,
  restricted,
  system,
} from '../fields.ts';
import { timeZones } from './values.ts';

/** Fields that tasks and events share. */

export const who = (children: string): FieldDeclaration =>
  reference('WhoId', 'Name ID', ['Contact', 'Lead'], { children, onDelete: 'cascade' });

/** In a real org anything that may have activities; here what this org holds, and the two oldest others. */
export const what = (children: string): FieldDeclaration =>
  reference(
    'WhatId',
    'Related To ID',
    ['Account', 'Asset', 'Campaign', 'Case', 'Contract', 'Opportunity', 'Order', 'Product2', 'Solution'],
    { children, onDelete: 'cascade' },
  );

export const reminder = (): FieldDeclaration[] => [
  datetime('ReminderDateTime', 'Reminder Date/Time', always),
  checkbox('IsReminderSet', 'Reminder Set', always),
];

export const recurrenceActivity = (object: string, children: string): FieldDeclaration =>
  reference('RecurrenceActivityId', 'Recurrence Activity ID', object, { children }, system, {
    relationshipName: null,
    searchPrefilterable: false,
  });

export const recurrence = (): FieldDeclaration[] => [
  date('RecurrenceEndDateOnly', 'Recurrence End', always),
  picklist('RecurrenceTimeZoneSidKey', 'Recurrence Time Zone', timeZones, restricted, always),
  picklist(
    'RecurrenceType',
    'Recurrence Type',
    'RecursDaily=Recurs Daily|RecursEveryWeekday=Recurs Every Weekday|RecursMonthly=Recurs Monthly|' +
      'RecursMonthlyNth=Recurs Monthly Nth|RecursWeekly=Recurs Weekly|RecursYearly=Recurs Yearly|RecursYearlyNth=Recurs Yearly Nth',
    restricted,
    always,
  ),
  int('RecurrenceInterval', 'Recurrence Interval', 9, always),
  int('RecurrenceDayOfWeekMask', 'Recurrence Day of Week Mask', 9, always),
  int('RecurrenceDayOfMonth', 'Recurrence Day of Month', 9, always),
  picklist(
    'RecurrenceInstance',
    'Recurrence Instance',
    'First=1st|Second=2nd|Third=3rd|Fourth=4th|Last=last',
    restricted,
    always,
  ),
  picklist(
    'RecurrenceMonthOfYear',
    'Recurrence Month of Year',
    'January|February|March|April|May|June|July|August|September|October|November|December',
    restricted,
    always,
  ),
];
