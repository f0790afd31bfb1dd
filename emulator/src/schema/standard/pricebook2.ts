import { declareObject } from '../declare.ts';
import { checkbox, idLookup, isName, required, system, text } from '../fields.ts';
import { audit, identity, viewed } from '../system-fields.ts';

export const pricebook2 = declareObject('Pricebook2', { label: 'Price Book', keyPrefix: '01s', without: ['feedEnabled'] }, [
  ...identity('Price Book ID'),
  text('Name', 'Price Book Name', 255, required, isName, idLookup),
  ...audit(),
  ...viewed(),
  checkbox('IsActive', 'Active'),
  checkbox('IsArchived', 'Archived', system),
  text('Description', 'Description', 255),
  checkbox('IsStandard', 'Is Standard Price Book', system),
]);
