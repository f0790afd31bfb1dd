import { insertRecord, saveChanges } from './saves.ts';
import type { StoredRow, Table } from './table.ts';
import { type ConversionOutcome, type LeadConversion, SalesforceError, type Values } from './types.ts';
import { parseDate, stampOf } from './values.ts';
import type { Workings } from './workings.ts';

const addressParts = ['Street', 'City', 'State', 'PostalCode', 'Country'];
const addressOf = (prefix: string) => Object.fromEntries(addressParts.map((part) => [prefix + part, part]));

/** Fields that are made from those of the lead (Salesforce Help, "Lead Conversion Field Mapping"). */
const accountFields = {
  ...{ Name: 'Company', Phone: 'Phone', Fax: 'Fax', Website: 'Website', Industry: 'Industry', Rating: 'Rating' },
  ...{ AnnualRevenue: 'AnnualRevenue', NumberOfEmployees: 'NumberOfEmployees', AccountSource: 'LeadSource' },
  ...addressOf('Billing'),
};
const contactFields = {
  ...{ Salutation: 'Salutation', FirstName: 'FirstName', LastName: 'LastName', Title: 'Title', Email: 'Email', Phone: 'Phone' },
  ...{ MobilePhone: 'MobilePhone', Fax: 'Fax', LeadSource: 'LeadSource', Description: 'Description' },
  ...addressOf('Mailing'),
};
const opportunityFields = { LeadSource: 'LeadSource' };

/** The status that a new org counts as converted. */
const convertedStatus = 'Closed - Converted';

/**
 * A lead becomes an account, a contact and, unless told otherwise, an opportunity, in this order; the lead is edited last
 * (SOAP API Developer Guide, "convertLead()"; Change Data Capture guide, "Lead Conversion").
 */
export function convertLead(workings: Workings, leadId: string, conversion: LeadConversion): ConversionOutcome {
  const { checks, store } = workings;
  const lead = checks.findAlive('Lead', leadId);
  if (lead.row.IsConverted === 1) throw new SalesforceError('CANNOT_UPDATE_CONVERTED_LEAD', 'cannot reference converted lead');
  const make = (object: string, mapping: Record<string, string>, more: Values) => {
    const values = { ...mapped(lead.row, store.requireTable(object), mapping), ...more };
    return insertRecord(workings, object, values).id;
  };
  const accountId = conversion.accountId ?? make('Account', accountFields, {});
  const contactId = conversion.contactId ?? make('Contact', contactFields, { AccountId: accountId });
  const { opportunityName = `${lead.row.Company}-`, status = convertedStatus } = conversion;
  const opportunityId =
    opportunityName === null
      ? null
      : make('Opportunity', opportunityFields, {
          AccountId: accountId,
          Name: opportunityName,
          StageName: firstStage(store.requireTable('Opportunity')),
          CloseDate: quarterEnd(store.clock.now()),
        });
  const converted: StoredRow = {
    Status: status,
    IsConverted: 1,
    ConvertedDate: parseDate(stampOf(store.clock.now())) as string,
    ConvertedAccountId: accountId,
    ConvertedContactId: contactId,
    ConvertedOpportunityId: opportunityId,
  };
  saveChanges(workings, lead, converted, 'user');
  return { id: lead.id, created: false, accountId, contactId, opportunityId };
}

function mapped(lead: StoredRow, table: Table, mapping: Record<string, string>): Values {
  const pairs = Object.entries(mapping).filter(
    ([to, from]) => table.column(to)?.field.createable && (lead[from] ?? null) !== null,
  );
  return Object.fromEntries(pairs.map(([to, from]) => [to, lead[from]!]));
}

const firstStage = (table: Table) => table.column('StageName')?.field.picklistValues[0]?.value ?? 'Prospecting';

/** The close date that the page proposes: the last day of the quarter. */
function quarterEnd(nowMs: number): string {
  const now = new Date(nowMs);
  const month = now.getUTCMonth();
  return new Date(Date.UTC(now.getUTCFullYear(), month - (month % 3) + 3, 0)).toISOString().slice(0, 10);
}
