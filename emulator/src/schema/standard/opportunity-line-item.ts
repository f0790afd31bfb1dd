import { declareObject } from '../declare.ts';
import { always, currency, date, double, int, isName, percent, readOnly, reference, required, system, text } from '../fields.ts';
import { audit, idField, isDeleted, viewed } from '../system-fields.ts';

export const opportunityLineItem = declareObject(
  'OpportunityLineItem',
  { label: 'Opportunity Product', keyPrefix: '00k', without: ['undeletable', 'searchable', 'feedEnabled', 'mruEnabled'] },
  [
    idField('Line Item ID'),
    reference(
      'OpportunityId',
      'Opportunity ID',
      'Opportunity',
      { children: 'OpportunityLineItems', onDelete: 'cascade' },
      required,
      { updateable: false },
    ),
    int('SortOrder', 'Sort Order', 9, system),
    reference('PricebookEntryId', 'Price Book Entry ID', 'PricebookEntry', { children: 'OpportunityLineItems' }, always, {
      updateable: false,
    }),
    reference('Product2Id', 'Product ID', 'Product2', { children: 'OpportunityLineItems', onDelete: 'restrict' }, always, {
      updateable: false,
    }),
    text('ProductCode', 'Product Code', 255, readOnly),
    text('Name', 'Opportunity Product Name', 376, system, isName),
    double('Quantity', 'Quantity', 12, 2, required),
    percent('Discount', 'Discount', 5, 2),
    currency('Subtotal', 'Subtotal', 2, readOnly),
    currency('TotalPrice', 'Total Price', 2, always),
    currency('UnitPrice', 'Sales Price', 2, always),
    currency('ListPrice', 'List Price', 2, readOnly),
    date('ServiceDate', 'Date'),
    text('Description', 'Line Description', 255),
    ...audit(),
    isDeleted(),
    ...viewed(),
  ],
);
