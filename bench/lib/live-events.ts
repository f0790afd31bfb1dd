/** An update, decoded. */
export interface LiveEvent {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** What the sync copies: nothing that events do not carry. */
export const liveFields = [
  'Id',
  'AccountId',
  'FirstName',
  'LastName',
  'Email',
  'Phone',
  'MobilePhone',
  'Title',
  'Department',
  'Birthdate',
];

/** What updates set: the title, which tells the number of the event, and one or two of the others. */
export const updatedFields = ['Title', 'Department', 'Phone', 'MobilePhone'] as const;

/** Of the org, when it writes a backlog. */
export const eventsPerTransaction = 10;

/** The update with this number: the same whoever asks. Neighbours touch different records. */
export function changeAt(n: number, ids: readonly string[]): LiveEvent {
  const fields: Record<string, string> = { Title: titleOf(n), Department: `department ${n % 977}` };
  if (n % 2 === 0) fields[n % 4 === 0 ? 'Phone' : 'MobilePhone'] = `+49 30 ${n}`;
  return { id: ids[(n * 7919) % ids.length]!, fields };
}

export const titleOf = (n: number): string => `event ${n}`;
