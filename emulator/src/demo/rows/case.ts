import { caseObject } from '../../schema/standard/case.ts';
import { description, trapped } from '../texts.ts';
import { choices } from './choices.ts';
import { type MakeRow, maybe, ownership } from './source.ts';

const statuses = choices(caseObject, 'Status');
const origins = choices(caseObject, 'Origin');
const types = choices(caseObject, 'Type');
const reasons = choices(caseObject, 'Reason');
const priorities = choices(caseObject, 'Priority');
const products = choices(caseObject, 'Product__c');
const subjects = [
  'Generator does not start',
  'Error "E-42" after update, again',
  'Rechnung fehlt für März',
  'Seeking execution plans for generator',
  '納品書の再発行をお願いします',
  'لا يعمل الجهاز',
  'Не приходит письмо',
  'Fwd: Re: AW: invoice #1,234.50',
];

export const caseRow: MakeRow = (source, index) => {
  const { random, contacts, accountIds } = source;
  const owned = ownership(source);
  const contact = contacts.length === 0 || random.chance(0.1) ? undefined : random.pick(contacts);
  const status = random.chance(0.6) ? 'Closed' : random.pick(statuses);
  return {
    CaseNumber: String(index + 1).padStart(8, '0'),
    ContactId: contact?.id ?? null,
    // A case belongs to its contact's account.
    AccountId: contact ? contact.accountId : accountIds.length === 0 ? null : random.pick(accountIds),
    SuppliedEmail: maybe(random, 0.8, () => `web.${index}@example.com`),
    Type: maybe(random, 0.2, () => random.pick(types)),
    Status: status,
    Reason: maybe(random, 0.3, () => random.pick(reasons)),
    Origin: random.pick(origins),
    Subject: trapped(random, random.pick(subjects), 255),
    Priority: random.pick(priorities),
    Description: description(random),
    IsClosed: status === 'Closed',
    ClosedDate: status === 'Closed' ? owned.LastModifiedDate : null,
    IsEscalated: status === 'Escalated',
    OwnerId: owned.OwnerId,
    CreatedDate: owned.CreatedDate,
    CreatedById: owned.CreatedById,
    LastModifiedDate: owned.LastModifiedDate,
    LastModifiedById: owned.LastModifiedById,
    SystemModstamp: owned.SystemModstamp,
    EngineeringReqNumber__c: maybe(random, 0.7, () => String(random.int(1, 999_999))),
    SLAViolation__c: maybe(random, 0.2, () => (random.chance(0.1) ? 'Yes' : 'No')),
    Product__c: maybe(random, 0.3, () => random.pick(products)),
    PotentialLiability__c: maybe(random, 0.5, () => (random.chance(0.05) ? 'Yes' : 'No')),
  };
};
