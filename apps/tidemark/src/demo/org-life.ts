import type { Org, Values } from '@tidemark/emulator';
import { type DemoSync, demoSyncs } from './demo-config.ts';

/** What people do in an org while it is being synced. Each function answers how many records it touched. */
export interface OrgLife {
  change(): number;
  create(): number;
  delete(): number;
  undelete(): number;
  /** Deleted for good: no recycle bin, no trace that a delta could find. */
  purge(): number;
  /** Gives one account a number of employees that the database has a rule against; answers its id. */
  spoil(): string;
  mend(id: string): void;
}

export function orgLife(org: Org): OrgLife {
  const deleted: { object: string; id: string }[] = [];

  const ids = (object: string, from: number, count: number): string[] => {
    const found = org.query(`SELECT Id FROM ${object} ORDER BY Id LIMIT ${from + count}`);
    return (found.page(from, count, 'v62.0') as { Id: string }[]).map((record) => record.Id);
  };
  const update = (object: string, id: string, values: Values) =>
    org.write((transaction) => transaction.update(object, id, values));

  return {
    change() {
      const edits: Record<DemoSync, Values> = {
        accounts: { Phone: '+49 30 1234567' },
        contacts: { Title: 'Head of "Everything", α & Ω' },
        leads: { Company: 'Nürnberger Söhne,\n2nd floor' },
        opportunities: { NextStep: 'Call back; then send the offer' },
        cases: { Priority: 'High' },
      };
      let touched = 0;
      for (const [name, object] of Object.entries(demoSyncs)) {
        for (const id of ids(object, 0, 80)) {
          update(object, id, edits[name as DemoSync]);
          touched++;
        }
      }
      return touched;
    },
    create() {
      const created = 25;
      for (let n = 1; n <= created; n++) {
        org.write((transaction) => {
          const account = transaction.insert('Account', { Name: `New customer ${n}` });
          transaction.insert('Contact', { FirstName: '美咲', LastName: `O'Neill ${n}`, AccountId: account.id });
        });
      }
      return created * 2;
    },
    delete() {
      for (const object of ['Lead', 'Case']) {
        for (const id of ids(object, 100, 30)) {
          org.write((transaction) => transaction.delete(object, id));
          deleted.push({ object, id });
        }
      }
      return deleted.length;
    },
    undelete() {
      const back = deleted.filter((_, n) => n % 3 === 0);
      for (const { object, id } of back) org.write((transaction) => transaction.undelete(object, id));
      return back.length;
    },
    purge() {
      const gone = ids('Lead', 200, 12);
      org.write((transaction) => transaction.purge('Lead', gone));
      return gone.length;
    },
    spoil() {
      const [id] = ids('Account', 90, 1);
      update('Account', id!, { NumberOfEmployees: -1 });
      return id!;
    },
    mend(id) {
      update('Account', id, { NumberOfEmployees: 1250 });
    },
  };
}
