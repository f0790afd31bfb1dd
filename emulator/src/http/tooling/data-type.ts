import type { FieldDescribe, FieldType } from '../../schema/types.ts';

/** Types without a length in their name. */
const plain: Partial<Record<FieldType, string>> = {
  id: 'Lookup()',
  phone: 'Phone',
  email: 'Email',
  url: 'URL',
  picklist: 'Picklist',
  multipicklist: 'Picklist (Multi-Select)',
  combobox: 'Picklist',
  boolean: 'Checkbox',
  date: 'Date',
  datetime: 'Date/Time',
  time: 'Time',
  address: 'Address',
  location: 'Geolocation',
  base64: 'Base64',
  anyType: 'Any',
};

/** A field's type as Setup writes it: `Text(255)`, `Number(16, 2)`, `Lookup(Account)` (Tooling API guide, FieldDefinition, DataType). */
export function dataTypeOf(field: FieldDescribe): string {
  const type = typeName(field);
  if (!field.calculated) return type;
  return field.calculatedFormula === null ? 'Roll-Up Summary' : `Formula (${type.replace(/\(.*/, '')})`;
}

function typeName(field: FieldDescribe): string {
  const { type, length, precision, scale, digits, name } = field;
  const known = plain[type];
  if (name === 'Fax') return 'Fax';
  if (known !== undefined) return known;
  switch (type) {
    case 'reference': {
      const to = field.referenceTo.join(',');
      return field.cascadeDelete || field.writeRequiresMasterRead ? `Master-Detail(${to})` : `Lookup(${to})`;
    }
    case 'textarea':
      if (field.htmlFormatted) return `Rich Text Area(${length})`;
      return length > 255 ? `Long Text Area(${length})` : `Text Area(${length})`;
    case 'encryptedstring':
      return `Text (Encrypted)(${length})`;
    case 'int':
      return `Number(${digits}, 0)`;
    case 'double':
      return `Number(${precision - scale}, ${scale})`;
    case 'currency':
      return `Currency(${precision - scale}, ${scale})`;
    case 'percent':
      return `Percent(${precision - scale}, ${scale})`;
    default:
      if (field.autoNumber) return 'Auto Number';
      return field.extraTypeInfo === 'personname' ? 'Name' : `Text(${length})`;
  }
}
