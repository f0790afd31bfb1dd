import type { Answer, RecordedOrg } from './recorded-org.ts';
import type { Recording } from './recording.ts';

const base = '/services/data/v60.0';
const replies = 'rest/amp-labs';

/** The same requests as those whose replies were recorded. */
export async function compareReplies(recording: Recording, org: RecordedOrg): Promise<void> {
  await compareCollections(recording, org);
  await compareRecords(recording, org);
  await compareQueries(recording, org);
  await compareJobs(recording, org);
}

/** Errors are compared with their words; what holds ids or records in structure only. */
const refused = (recording: Recording, file: string, { json }: Answer) =>
  recording.equal(`${replies}/${file}`, '', recording.json(`${replies}/${file}`), json);
const answered = (recording: Recording, file: string, { json }: Answer) =>
  recording.alike(`${replies}/${file}`, recording.json(`${replies}/${file}`), json);

const contact = (values: object) => ({ attributes: { type: 'Contact' }, ...values });

async function compareCollections(recording: Recording, { request }: RecordedOrg): Promise<void> {
  const send = (method: string, allOrNone: boolean, ...records: object[]) =>
    request(method, `${base}/composite/sobjects`, { allOrNone, records });
  const kent = contact({ FirstName: 'Clark', LastName: 'Kent' });
  const created = await send('POST', false, kent, kent);
  answered(recording, 'batch-create-contacts-success.json', created);
  refused(recording, 'batch-create-contacts-err-bad-request.json', await send('POST', false));
  refused(recording, 'batch-create-contacts-partial-but-allOrNone.json', await send('POST', true, contact({}), kent));
  const [one, two] = created.json.map(({ id }: { id: string }) => id);
  const named = (id: string) => contact({ id, LastName: 'Lane' });
  answered(recording, 'batch-update-contacts-success.json', await send('PATCH', false, named(one), named(two)));
  refused(recording, 'batch-update-contacts-err-each-no-ids.json', await send('PATCH', false, kent, kent));
  const unknown = contact({ id: two, unknownField_LastName: 'Lane' });
  refused(recording, 'batch-update-contacts-partial-but-allOrNone.json', await send('PATCH', true, named(one), unknown));
}

async function compareRecords(recording: Recording, { request }: RecordedOrg): Promise<void> {
  const path = `${base}/sobjects/Account`;
  const created = await request('POST', path, { Name: 'Acme' });
  answered(recording, 'create-ok.json', created);
  const own = `${path}/${created.json.id}`;
  refused(recording, 'invalid-field-upsert.json', await request('PATCH', own, { MasterRecordId: created.json.id }));
  refused(recording, 'unknown-field.json', await request('POST', path, { Name: 'Acme', AccountNumer: '1' }));
  await request('DELETE', own);
  refused(recording, 'crm-delete-not-found.json', await request('DELETE', own));
  for (const object of ['Account', 'Contact', 'Lead']) {
    const file = `rest/record-${object}.v42.json`;
    const recorded = recording.json(file);
    const values =
      object === 'Account' ? { Name: 'Smith' } : { LastName: 'Smith', ...(object === 'Lead' ? { Company: 'C' } : {}) };
    const { json } = await request('POST', `/services/data/v42.0/sobjects/${object}`, values);
    const { json: ours } = await request('GET', `/services/data/v42.0/sobjects/${object}/${json.id}`);
    recording.alike(file, recorded, ours);
    for (const name of Object.keys(recorded)) {
      if (Object.hasOwn(ours, name) && (recorded[name] === null) !== (ours[name] === null) && !(name in given)) {
        const [theirs, here] = [recorded[name], ours[name]].map((value) => (value === null ? 'null' : 'a value'));
        recording.add([{ file, path: name, what: `${theirs}, here ${here}` }]);
      }
    }
  }
}

/** What the recorded records were created with. */
const given: Readonly<Record<string, true>> = { AccountId: true, AccountNumber: true, Email: true };

async function compareQueries(recording: Recording, { request, emulator }: RecordedOrg): Promise<void> {
  const { org } = emulator;
  const accountId = org.write((tx) => tx.insert('Account', { Name: 'Acme' })).id;
  const contactId = org.write((tx) => tx.insert('Contact', { LastName: 'Kent', AccountId: accountId })).id;
  org.write((tx) => {
    const values = { StageName: 'Prospecting', CloseDate: '2026-03-04', Amount: 50_000, AccountId: accountId };
    const { id } = tx.insert('Opportunity', { ...values, Name: 'Opportunity' });
    tx.insert('OpportunityContactRole', { OpportunityId: id, ContactId: contactId, Role: 'Decision Maker' });
    tx.insert('Lead', { LastName: 'Lane', Company: 'Planet', City: 'Tallahassee', State: 'FL', Country: 'USA' });
  });
  const query = (soql: string) => request('GET', `${base}/query?q=${encodeURIComponent(soql)}`);
  const children = '(SELECT Id, ContactId, Role FROM OpportunityContactRoles)';
  const list: readonly [file: string, soql: string][] = [
    ['read-list-contacts', 'SELECT AccountId, Department, AssistantName, Description FROM Contact'],
    ['read-list-leads', 'SELECT Address, City, CleanStatus, FirstName FROM Lead'],
    ['read-opportunity-with-account', 'SELECT Id, Name, AccountId, Amount, StageName FROM Opportunity'],
    ['read-opportunity-with-contacts', `SELECT Id, Name, Amount, StageName, ${children} FROM Opportunity`],
  ];
  for (const [file, soql] of list) answered(recording, `${file}.json`, await query(soql));
  refused(recording, 'unknown-object.json', await query('SELECT Id,Name,BillingCity,IsDeleted FROM Accout'));
}

async function compareJobs(recording: Recording, { request }: RecordedOrg): Promise<void> {
  const jobs = `${base}/jobs/ingest`;
  const alike = (file: string, { json }: Answer) =>
    recording.alike(`bulk/${file}.json`, recording.json(`bulk/${file}.json`), json);
  const create = (operation: string, more: object = {}) =>
    request('POST', jobs, { object: 'Opportunity', operation, contentType: 'CSV', ...more });
  const close = (id: string) => request('PATCH', `${jobs}/${id}`, { state: 'UploadComplete' });
  const key = { externalIdFieldName: 'external_id__c' };
  const send = async (header: string, created: Answer) => {
    await request('PUT', `${jobs}/${created.json.id}/batches`, `${header}\n1,One,Prospecting,2026-03-04\n`);
    return { created, closed: await close(created.json.id), id: created.json.id as string };
  };
  const states = new Map<string, Answer>();
  const follow = async (id: string) => {
    for (let i = 0; i < 10 && !states.has('end'); i++) {
      const answer = await request('GET', `${jobs}/${id}`);
      states.set(answer.json.state, answer);
      if (['JobComplete', 'Failed'].includes(answer.json.state)) return;
    }
  };
  const good = await send('external_id__c,Name,StageName,CloseDate', await create('upsert', key));
  alike('write-launch-job-opportunity', good.created);
  alike('write-update-job-opportunity', good.closed);
  await follow(good.id);
  const bad = await send('external_id__c,Name,StageName_invalid_field_on_purpose,CloseDate', await create('upsert', key));
  await follow(bad.id);
  const ends = { 'info-in-progress': 'InProgress', 'info-success': 'JobComplete', 'info-complete-failure': 'Failed' };
  for (const [file, state] of Object.entries(ends)) {
    const reached = states.get(state);
    if (reached) alike(file, reached);
    else recording.add([{ file: `bulk/${file}.json`, path: 'state', what: `${state}, here never reached` }]);
  }
  const failure = recording.json('bulk/info-complete-failure.json').errorMessage;
  recording.equal('bulk/info-complete-failure.json', 'errorMessage', failure, states.get('Failed')?.json.errorMessage);
  const launched = await create('delete');
  alike('delete-launch-job-opportunity', launched);
  await request('PUT', `${jobs}/${launched.json.id}/batches`, 'Id\n006000000000000AAA\n');
  alike('delete-update-job-opportunity', await close(launched.json.id));
  const queried = await request('POST', `${base}/jobs/query`, { operation: 'query', query: 'SELECT Id FROM Account' });
  alike('read-launch-job-account', queried);
}
