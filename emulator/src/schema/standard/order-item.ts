import { declareObject } from '../declare.ts';
import {
  always,
  currency,
  date,
  defaulted,
  double,
  idLookup,
  isName,
  notNull,
  readOnly,
  reference,
  required,
  system,
  text,
} from '../fields.ts';
import { audit, idField, isDeleted } from '../system-fields.ts';

export const orderItem = declareObject(
  'OrderItem',
  { label: 'Order Product', keyPrefix: '802', without: ['undeletable', 'mruEnabled'] },
  [
    idField('Order Product ID'),
    reference('Product2Id', 'Product ID', 'Product2', { children: 'OrderItems', onDelete: 'restrict' }, always, {
      updateable: false,
    }),
    isDeleted(),
    reference('OrderId', 'Order ID', 'Order', { children: 'OrderItems', onDelete: 'cascade' }, required, {
      updateable: false,
    }),
    reference(
      'PricebookEntryId',
      'Price Book Entry ID',
      'PricebookEntry',
      { children: 'OrderItems', onDelete: 'restrict' },
      always,
      { updateable: false },
    ),
    reference('OriginalOrderItemId', 'Order Product ID', 'OrderItem', { children: 'ChildOrderItems' }, { updateable: false }),
    double('AvailableQuantity', 'Available Quantity', 18, 2, readOnly),
    double('Quantity', 'Quantity', 18, 2, required),
    currency('UnitPrice', 'Unit Price', 2, always),
    currency('ListPrice', 'List Price', 2, always, { updateable: false }),
    currency('TotalPrice', 'Total Price', 2, system),
    date('ServiceDate', 'Start Date'),
    date('EndDate', 'End Date'),
    text('Description', 'Line Description', 255),
    ...audit(),
    text('OrderItemNumber', 'Order Product Number', 30, system, notNull, isName, idLookup, defaulted, { autoNumber: true }),
  ],
);
