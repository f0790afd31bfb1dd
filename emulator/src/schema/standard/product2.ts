import { declareObject } from '../declare.ts';
import { checkbox, idLookup, isName, picklist, reference, required, system, text, textarea, url } from '../fields.ts';
import { audit, idField, isDeleted, viewed } from '../system-fields.ts';

export const product2 = declareObject('Product2', { label: 'Product', keyPrefix: '01t' }, [
  idField('Product ID'),
  text('Name', 'Product Name', 255, required, isName, idLookup),
  text('ProductCode', 'Product Code', 255),
  textarea('Description', 'Product Description', 4000),
  checkbox('IsActive', 'Active'),
  ...audit(),
  picklist('Family', 'Product Family', 'None'),
  reference('ExternalDataSourceId', 'External Data Source ID', 'ExternalDataSource'),
  text('ExternalId', 'External ID', 255),
  url('DisplayUrl', 'Display URL', { length: 1000, byteLength: 3000 }),
  picklist('QuantityUnitOfMeasure', 'Quantity Unit Of Measure', 'Each'),
  isDeleted(),
  checkbox('IsArchived', 'Archived', system),
  ...viewed(),
  text('StockKeepingUnit', 'Product SKU', 180),
]);
