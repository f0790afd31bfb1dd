import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { type IngestClient, startIngest } from './ingest-testing.ts';

// What a CSV says is what the org holds: each cell is read by the rules of Bulk API 2.0, and a row that breaks one of
// them fails alone and says why.

let client: IngestClient;
beforeAll(async () => {
  client = await startIngest();
});
afterAll(() => client.org.emulator.close());

const errors = async (id: string) => (await client.rows(id, 'failedResults')).map((row) => row.sf__Error).sort();
const only = async (id: string, delimiter = ',') =>
  (await client.rows(id, 'successfulResults', { delimiter }))[0]?.sf__Id as string;
const read = (object: string, id: string) => client.org.emulator.org.retrieve(object, id, 'v62.0') as Record<string, unknown>;

test(`result files: the server's columns in quotes, the header as uploaded, all values in quotes ${evidence('recorded', 'failed rows of an Opportunity job; successful ones as in the quick start of the Bulk API 2.0 Developer Guide')}`, async () => {
  const job = await client.run('name,STAGENAME,CloseDate\nAnn,x,2003-04-98\n', { object: 'Opportunity' });
  expect((await client.results(job.id, 'failedResults')).text).toBe(
    `"sf__Id","sf__Error",name,STAGENAME,CloseDate\n"","INVALID_FIELD:Failed to deserialize field at col 2. Due to, '2003-04-98' is not a valid value for the type xsd:date:CloseDate --","Ann","x","2003-04-98"\n`,
  );
  expect(job).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 1, numberRecordsFailed: 1 });
  expect((await client.results(job.id, 'successfulResults')).text).toBe('"sf__Id","sf__Created",name,STAGENAME,CloseDate\n');
  expect((await client.results(job.id, 'unprocessedrecords')).text).toBe('name,STAGENAME,CloseDate\n');
  const good = await client.run('LastName\n"a ""b"""\n');
  const id = await only(good.id);
  expect((await client.results(good.id, 'successfulResults')).text).toBe(
    `"sf__Id","sf__Created",LastName\n"${id}","true","a ""b"""\n`,
  );
});

test.each([
  ['COMMA', ','],
  ['BACKQUOTE', '`'],
  ['CARET', '^'],
  ['PIPE', '|'],
  ['SEMICOLON', ';'],
  ['TAB', '\t'],
])(
  `columns divided by %s ${evidence('documented', 'Bulk API 2.0 Developer Guide, Create a Job, columnDelimiter')}`,
  async (columnDelimiter, sign) => {
    const csv = ['LastName', 'FirstName', 'Phone'].join(sign);
    const job = await client.run(`${csv}\n${['Ké', `"a${sign}b"`, '1,2;3'.replaceAll(sign, '')].join(sign)}\n`, {
      columnDelimiter,
    });
    expect(job.state).toBe('JobComplete');
    expect(read('Contact', await only(job.id, sign))).toMatchObject({ LastName: 'Ké', FirstName: `a${sign}b` });
    expect((await client.results(job.id, 'successfulResults')).text).toContain(['"sf__Id"', '"sf__Created"', csv].join(sign));
  },
);

test(`line endings are those of the job, or the job fails and all is unprocessed ${evidence('assumed', 'the message is quoted by many reports')}`, async () => {
  const invalid = (setting: string) =>
    `ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is ${setting}`;
  expect((await client.run('LastName\r\na\r\nb\r\n', { lineEnding: 'CRLF' })).state).toBe('JobComplete');
  const cases: [string, string][] = [
    ['LastName\r\na\r\nb\r\n', 'LF'],
    ['LastName\na\nb\n', 'CRLF'],
    ['LastName\na\r\nb\n', 'LF'],
    ['"LastName"\r\n"a"\r\n"b"', 'LF'],
  ];
  for (const [csv, lineEnding] of cases) {
    const job = await client.run(csv, { lineEnding });
    expect(job).toMatchObject({ state: 'Failed', errorMessage: invalid(lineEnding), numberRecordsProcessed: 0 });
    const rest = await client.rows(job.id, 'unprocessedrecords');
    expect(rest.map((row) => row.LastName).sort(), csv).toEqual(['a', 'b']);
  }
  // Within quotes any line break is text.
  const job = await client.run('LastName,Description\na,"one\r\ntwo\nthree"\n');
  expect(read('Contact', await only(job.id)).Description).toBe('one\r\ntwo\nthree');
});

test(`a column that is no field fails the job ${evidence('recorded', 'upsert job of Opportunity that failed')}`, async () => {
  const job = await client.run('Name,StageName_invalid_field_on_purpose\na,b\n', { object: 'Opportunity' });
  expect(job).toMatchObject({
    state: 'Failed',
    errorMessage: 'InvalidBatch : Field name not found : StageName_invalid_field_on_purpose',
    numberRecordsProcessed: 0,
    numberRecordsFailed: 0,
  });
  expect(await client.rows(job.id, 'unprocessedrecords')).toEqual([{ Name: 'a', StageName_invalid_field_on_purpose: 'b' }]);
  expect(await client.rows(job.id, 'successfulResults')).toEqual([]);
});

test(`columns that must be there, and those that must not ${evidence('assumed', 'a missing Id is reported so; the others are guesses')}`, async () => {
  const failure = async (csv: string, body: Record<string, unknown>) => (await client.run(csv, body)).errorMessage;
  const missing = (name: string) => `InvalidBatch : Field name not found : ${name}`;
  expect(await failure('LastName\na\n', { operation: 'update' })).toBe(missing('Id'));
  expect(await failure('LastName\na\n', { operation: 'delete' })).toBe(missing('Id'));
  expect(await failure('LastName\na\n', { operation: 'upsert', externalIdFieldName: 'Id' })).toBe(missing('Id'));
  const upsert = { object: 'Account', operation: 'upsert', externalIdFieldName: 'Unique__c' };
  expect(await failure('Name\na\n', upsert)).toBe(missing('Unique__c'));
  expect(await failure('Id,LastName\nx,a\n', { operation: 'delete' })).toBe(
    "InvalidBatch : The 'delete' batch must contain only ids",
  );
  expect(await failure('LastName,lastname\na,b\n', {})).toMatch(/^InvalidBatch : Field name specified more than once/);
  expect(await failure(' LastName\na\n', {})).toBe(missing(' LastName'));
  expect(await failure('\uFEFFLastName\na\n', {})).toBe(missing('\uFEFFLastName'));
  expect(await failure('Acount.Name,LastName\na,b\n', {})).toBe(missing('Acount.Name'));
  expect(await failure('', {})).toBe('InvalidBatch : No header row found');
  expect(await failure(`LastName,${'x'.repeat(32_000)}\na,b\n`, {})).toMatch(/^InvalidBatch : The header row is too long/);
});

test(`empty leaves alone, #N/A empties, blanks stay ${evidence('documented', 'Bulk API 2.0 Developer Guide, Valid CSV Record Rows')}`, async () => {
  const [id] = client.org.insert('Contact', { LastName: 'L', FirstName: 'F', Phone: '1', Description: 'd' });
  const job = await client.run(`Id,FirstName,Phone,Description\n${id},,#N/A," x "\n`, { operation: 'update' });
  expect(job.numberRecordsFailed).toBe(0);
  expect(read('Contact', id as string)).toMatchObject({ LastName: 'L', FirstName: 'F', Phone: null, Description: ' x ' });
  expect(await errors((await client.run(`Id,LastName\n${id},#N/A\n`, { operation: 'update' })).id)).toEqual([
    'REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --',
  ]);
});

test(`parents by external id ${evidence('documented', 'Bulk API 2.0 Developer Guide, Relationship Fields in a Header Row')}`, async () => {
  const [account] = client.org.insert('Account', { Name: 'A', Unique__c: 'parent' });
  const [lead] = client.org.insert('Lead', { LastName: 'l', Company: 'c', Email: 'who@example.com' });
  const child = await client.run('LastName,account.unique__C\nx,parent\n');
  expect(read('Contact', await only(child.id)).AccountId).toBe(account);
  // Names of columns stay as they were.
  expect((await client.rows(child.id, 'successfulResults'))[0]).toHaveProperty('account.unique__C', 'parent');
  const cleared = await client.run(`Id,Account.Unique__c\n${await only(child.id)},#N/A\n`, { operation: 'update' });
  expect(cleared.numberRecordsFailed).toBe(0);
  expect(read('Contact', await only(child.id)).AccountId).toBeNull();
  expect(await errors((await client.run('LastName,Account.Unique__c\nx,nobody\n')).id)).toEqual([
    'INVALID_FIELD:Foreign key external ID: nobody not found for field Unique__c in entity Account:--',
  ]);
  const task = await client.run('Subject,Lead:Who.Email\ns,who@example.com\n', { object: 'Task' });
  expect(task.numberRecordsFailed, JSON.stringify(await errors(task.id))).toBe(0);
  expect(read('Task', await only(task.id)).WhoId).toBe(lead);
  for (const [object, header] of [
    ['Task', 'Who.Email'],
    ['Contact', 'Account:Account.Unique__c'],
    ['Task', 'Case:Who.Email'],
  ]) {
    const job = await client.run(`${header}\nx\n`, { object });
    expect(job.errorMessage, header).toBe(`InvalidBatch : Field name not found : ${header}`);
  }
});

test(`upserts say what they made; keys that stand twice are written by none ${evidence('assumed', 'the wording is that of Collections')}`, async () => {
  const upsert = { object: 'Account', operation: 'upsert', externalIdFieldName: 'Unique__c' };
  const first = await client.run('Unique__c,Name\nu1,one\nu2,two\n', upsert);
  expect((await client.rows(first.id, 'successfulResults')).map((row) => row.sf__Created)).toEqual(['true', 'true']);
  const second = await client.run('Name,Unique__c\nONE,u1\nthree,u3\na,Same\nb,same\nnone,\n', upsert);
  const done = await client.rows(second.id, 'successfulResults');
  expect(Object.fromEntries(done.map((row) => [row.Unique__c, row.sf__Created]))).toEqual({ u1: 'false', u3: 'true' });
  expect(await errors(second.id)).toEqual([
    'DUPLICATE_VALUE:Duplicate external id specified: Same:Unique__c --',
    'DUPLICATE_VALUE:Duplicate external id specified: same:Unique__c --',
    'MISSING_ARGUMENT:Unique__c not specified:Unique__c --',
  ]);
  const byId = await client.run(`Id,Name\n${done[0]?.sf__Id},renamed\n,made\n`, { ...upsert, externalIdFieldName: 'Id' });
  expect((await client.rows(byId.id, 'successfulResults')).map((row) => row.sf__Created).sort()).toEqual(['false', 'true']);
});

test(`what a row is refused for, with the id it named ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Job Failed Record Results; codes as in REST')}`, async () => {
  const [id, gone] = client.org.insert('Contact', { LastName: 'here' }, { LastName: 'gone' });
  client.org.emulator.org.write((transaction) => transaction.delete('Contact', gone as string));
  const job = await client.run(`Id,Email,CreatedDate\n${id},nonsense,\n${gone},,\n,,\n003,,\n${id},,2020-01-01T00:00:00Z\n`, {
    operation: 'update',
  });
  expect(job).toMatchObject({ numberRecordsProcessed: 5, numberRecordsFailed: 5, state: 'JobComplete' });
  const failed = await client.rows(job.id, 'failedResults');
  expect(failed.map((row) => row.sf__Id).sort()).toEqual(['', '003', id, id, gone].sort());
  expect(await errors(job.id)).toEqual([
    'ENTITY_IS_DELETED:entity is deleted:--',
    'INVALID_EMAIL_ADDRESS:Email: invalid email address: nonsense:Email --',
    expect.stringMatching(/^INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create\/update fields: CreatedDate\. .*:CreatedDate --$/),
    expect.stringMatching(/^MALFORMED_ID:.* ID: id value of incorrect type: 003:Id --$/),
    'MISSING_ARGUMENT:Id not specified in an update call:Id --',
  ]);
});

test(`deletes go to the recycle bin, hard deletes past it, for those who may ${evidence('documented', 'Bulk API 2.0 Developer Guide, Create a Job, hardDelete')}`, async () => {
  const [soft, hard] = client.org.insert('Contact', { LastName: 's' }, { LastName: 'h' });
  await client.run(`Id\n${soft}\n`, { operation: 'delete' });
  const job = await client.run(`Id\n${hard}\n${soft}\n`, { operation: 'hardDelete' });
  expect(await errors(job.id)).toEqual(['ENTITY_IS_DELETED:entity is deleted:--']);
  const all = client.org.emulator.org.query(`SELECT Id FROM Contact WHERE Id IN ('${soft}', '${hard}')`, { all: true });
  expect(all.page(0, 2, 'v62.0')).toMatchObject([{ Id: soft }]);
});

test(`a row that is no CSV fails alone ${evidence('documented', 'Bulk API 2.0 Developer Guide, Prepare CSV Files: blanks around quotes are an error for the row; wording assumed')}`, async () => {
  const job = await client.run('LastName,FirstName\ngood,one\nbad, "two"\n5" pipe,x\nshort\nlong,a,b\n\nlast,"q"\n"open,x\n');
  const failed = await client.rows(job.id, 'failedResults', { relax_column_count: true });
  expect(job).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 7, numberRecordsFailed: 5 });
  const quote = 'ClientInputError:Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote:--';
  expect(Object.fromEntries(failed.map((row) => [row.LastName, row.sf__Error]))).toEqual({
    bad: quote,
    '5" pipe': quote,
    short: 'ClientInputError:Failed to parse CSV. The row has 1 fields, the header has 2:--',
    long: 'ClientInputError:Failed to parse CSV. The row has 3 fields, the header has 2:--',
    '"open,x': 'ClientInputError:Failed to parse CSV. EOF reached before closing an opened quote:--',
  });
  expect((await client.rows(job.id, 'successfulResults')).map((row) => row.LastName).sort()).toEqual(['good', 'last']);
  const large = await client.run(`LastName,Description\na,${'x'.repeat(131_073)}\n`);
  expect(await errors(large.id)).toEqual([
    'ClientInputError:Failed to parse CSV. Exceeded max field length: 131072:Description --',
  ]);
  const whole = ['LastName', 'Description', 'MailingStreet', 'OtherStreet', 'Title'];
  const wide = await client.run(`${whole.join()}\n${whole.map(() => 'x'.repeat(80_001)).join()}\n`);
  expect(await errors(wide.id)).toEqual(['ClientInputError:Failed to parse CSV. Exceeded max record length: 400000:Title --']);
});

test(`records that somebody else holds ${evidence('documented', 'Bulk API 2.0 Developer Guide, General Guidelines for Data Loads: lock contention')}`, async () => {
  const [held, free] = client.org.insert('Contact', { LastName: 'held' }, { LastName: 'free' });
  const other = client.org.emulator.org.begin();
  other.update('Contact', held as string, { FirstName: 'x' });
  const job = await client.run(`Id,FirstName\n${held},a\n${free},b\n`, { operation: 'update' });
  expect(await errors(job.id)).toEqual([expect.stringMatching(/^UNABLE_TO_LOCK_ROW:unable to obtain exclusive access .*:--$/)]);
  other.rollback();
  expect(read('Contact', free as string).FirstName).toBe('b');
});

test(`what the user may not see is no column ${evidence('assumed', 'field-level security holds for every API')}`, async () => {
  const { permissions } = client.org.emulator;
  permissions.hide('Contact', 'Phone');
  expect((await client.run('LastName,Phone\na,1\n')).errorMessage).toBe('InvalidBatch : Field name not found : Phone');
  permissions.show('Contact', 'Phone');
  expect((await client.run('LastName,Phone\na,1\n')).state).toBe('JobComplete');
});

test(`users write what they may, and hard delete only with the permission for it ${evidence('documented', 'Bulk API 2.0 Developer Guide, Create a Job, hardDelete; the message of Bulk API 1.0')}`, async () => {
  const { users } = client.org.emulator;
  const user = users.add({ username: 'bulk@example.com', permissions: { objects: { Lead: { create: false, read: true } } } });
  const headers = { authorization: `Bearer ${user.accessToken}` };
  const as = async (csv: string, body: Record<string, unknown>) => {
    const { json } = await client.create(body, { headers });
    await client.upload(json.id, csv, headers);
    await client.patch(json.id, 'UploadComplete');
    return client.status(json.id);
  };
  const made = await as('LastName\nmine\n', {});
  expect(made.createdById).toBe(user.userId);
  expect(read('Contact', await only(made.id))).toMatchObject({ CreatedById: user.userId, OwnerId: user.userId });
  const refused = await as('LastName,Company\na,b\n', { object: 'Lead' });
  expect(await errors(refused.id)).toEqual([expect.stringMatching(/^INSUFFICIENT_ACCESS/)]);
  const hard = () => client.create({ operation: 'hardDelete' }, { headers });
  expect(await hard()).toMatchObject({
    status: 400,
    json: [{ errorCode: 'FEATURENOTENABLED', message: expect.stringMatching(/^hardDelete operation requires special user/) }],
  });
  users.permit(user.userId, { system: { bulkApiHardDelete: true } });
  expect((await hard()).status).toBe(200);
});

test(`platform events are published by inserting them ${evidence('documented', 'Platform Events Developer Guide, Publish Event Messages Using APIs')}`, async () => {
  const { events } = client.org.emulator;
  events.definePlatformEvent({ name: 'Shipped__e', fields: [{ name: 'Order__c', type: 'text', length: 10 }] });
  const before = events.latestReplayId();
  const job = await client.run(`Order__c\no1\n${'x'.repeat(11)}\no2\n`, { object: 'Shipped__e' });
  expect(job).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 3, numberRecordsFailed: 1 });
  const published = events.channel('/event/Shipped__e')!.read(before, 10, client.org.emulator.org.adminUserId);
  expect(published.events.map((event) => event.json().Order__c)).toEqual(['o1', 'o2']);
  const update = await client.run('Id,Order__c\nx,y\n', { object: 'Shipped__e', operation: 'update' });
  expect(update.state).toBe('Failed');
});
