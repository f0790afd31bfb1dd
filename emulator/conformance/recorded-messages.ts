import type { RecordedOrg } from './recorded-org.ts';
import type { Recording } from './recording.ts';

/** The same changes as those of which CometD messages were recorded, as CometD would send them. */
export function compareMessages(recording: Recording, { emulator }: RecordedOrg): void {
  const { org, events } = emulator;
  const lastOf = (topic: string) => {
    const payload = events.channel(topic)!.read(0, 10_000, org.adminUserId).events.at(-1)!.json();
    // Through its text: numbers beyond what a number holds are written as they are.
    return JSON.parse(JSON.stringify(payload));
  };
  const compare = (name: string, topic: string) => {
    const file = `events/cometd-json/${name}.json`;
    const [recorded, ours] = [recording.json(file), lastOf(topic)];
    recording.alike(file, recorded, ours);
    const changed = (payload: typeof recorded) => [...payload.ChangeEventHeader.changedFields].sort();
    recording.equal(file, 'changedFields', changed(recorded), changed(ours));
  };
  const origin = { origin: 'com/salesforce/api/rest/66.0;client=recorded' };
  const insert = (object: string, values: Record<string, string>) => org.write((tx) => tx.insert(object, values), origin).id;
  const update = (object: string, id: string, values: Record<string, string>) => {
    org.clock.advance(5_000);
    org.write((tx) => tx.update(object, id, values), origin);
  };
  insert('Account', { Name: 'Acme', Description: 'Sample account record.' });
  compare('new_account', '/data/AccountChangeEvent');
  update('Contact', insert('Contact', { LastName: 'Young' }), { LastName: 'Youngest' });
  compare('update_contact', '/data/ContactChangeEvent');
  update('Lead', insert('Lead', { LastName: 'Lane', Company: 'Planet' }), { Street: '1 Main St', PostalCode: '12345' });
  compare('update_lead_compound_address', '/data/LeadChangeEvent');
  update('User', org.adminUserId, { FirstName: 'BUTTERBALL' });
  compare('update_user', '/data/UserChangeEvent');
}
