import { declareObject } from '../declare.ts';
import { always, checkbox, currency, isName, reference, required, system, text } from '../fields.ts';
import { audit, idField, isDeleted } from '../system-fields.ts';

export const pricebookEntry = declareObject(
  'PricebookEntry',
  {
    label: 'Price Book Entry',
    plural: 'Price Book Entries',
    keyPrefix: '01u',
    without: ['feedEnabled', 'mruEnabled', 'searchable', 'undeletable'],
  },
  [
    idField('Price Book Entry ID'),
    text('Name', 'Product Name', 255, system, isName),
    reference('Pricebook2Id', 'Price Book ID', 'Pricebook2', { children: 'PricebookEntries', onDelete: 'cascade' }, required, {
      updateable: false,
    }),
    reference('Product2Id', 'Product ID', 'Product2', { children: 'PricebookEntries', onDelete: 'cascade' }, required, {
      updateable: false,
    }),
    currency('UnitPrice', 'List Price', 2, required),
    checkbox('IsActive', 'Active', always),
    checkbox('UseStandardPrice', 'Use Standard Price', always),
    ...audit(),
    text('ProductCode', 'Product Code', 255, system),
    isDeleted(),
    checkbox('IsArchived', 'Archived', system),
  ],
);
