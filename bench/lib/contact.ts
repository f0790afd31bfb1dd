/** The fifteen columns that every contender loads, with the type that each gets in PostgreSQL and SQLite. */
export const columns = [
  ['Id', 'text', 'TEXT'],
  ['AccountId', 'text', 'TEXT'],
  ['FirstName', 'text', 'TEXT'],
  ['LastName', 'text', 'TEXT'],
  ['Email', 'text', 'TEXT'],
  ['Phone', 'text', 'TEXT'],
  ['MobilePhone', 'text', 'TEXT'],
  ['Title', 'text', 'TEXT'],
  ['Department', 'text', 'TEXT'],
  ['MailingStreet', 'text', 'TEXT'],
  ['MailingCity', 'text', 'TEXT'],
  ['MailingCountry', 'text', 'TEXT'],
  ['Birthdate', 'date', 'TEXT'],
  ['IsEmailBounced', 'boolean', 'INTEGER'],
  ['SystemModstamp', 'timestamptz', 'TEXT'],
] as const;

export const names: readonly string[] = columns.map(([name]) => name);

export const soql = `SELECT ${names.join(', ')} FROM Contact`;

export function createTable(table: string, dialect: 'postgres' | 'sqlite'): string {
  const list = columns.map(
    ([name, postgres, sqlite]) =>
      `${name} ${dialect === 'postgres' ? postgres : sqlite}${name === 'Id' ? ' PRIMARY KEY NOT NULL' : ''}`,
  );
  return `CREATE TABLE ${table} (${list.join(', ')})`;
}

/** Three of the fifteen columns computed: what "with mapping expressions" means. */
export const mapped = Object.fromEntries(
  names.map((name) => {
    if (name === 'Title') return ['Title', '= $uppercase(Title)'];
    if (name === 'MailingCity') return ['MailingCity', "= MailingCity & ', ' & MailingCountry"];
    if (name === 'Department') return ['Department', "= Department ? Department : 'none'"];
    return [name, name];
  }),
);
