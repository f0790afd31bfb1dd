/** The fields that both sides share, by the app's names. */
export const orgFields = {
  name: 'Name',
  phone: 'Phone',
  revenue: 'AnnualRevenue',
  notes: 'Description',
  site: 'Site',
} as const;

/** Longest phone number that the org takes. */
export const phoneMax = 40;

export type Field = keyof typeof orgFields;
export const fields = Object.keys(orgFields) as Field[];

export type Value = string | number | null;
export type Values = Readonly<Partial<Record<Field, Value>>>;
export type Side = 'left' | 'right';
export const otherOf = (side: Side): Side => (side === 'left' ? 'right' : 'left');

/** A record as a side holds it, and the key of its partner there. */
export interface SideRecord {
  readonly values: Values;
  readonly partner: string | null;
}

/** What a value means, however a side writes it down; null for none. */
export function meaningOf(field: Field, value: unknown): string | null {
  if (value === null || value === undefined || value === '') return null;
  if (field === 'revenue') return String(Number(value));
  return String(value).trim() || null;
}
