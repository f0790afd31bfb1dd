/** What is known of standard objects without asking an org (Object Reference for the Salesforce Platform, REST describes). */

/** Fields that whoever sees the object sees: a permission set that names one is not deployed. */
const alwaysSeen = new Set(
  [
    ...['Id', 'Name', 'IsDeleted', 'OwnerId', 'MasterRecordId', 'PhotoUrl', 'RecordTypeId'],
    ...['CreatedDate', 'CreatedById', 'LastModifiedDate', 'LastModifiedById', 'SystemModstamp'],
    ...['LastActivityDate', 'LastViewedDate', 'LastReferencedDate', 'FirstName', 'LastName', 'Salutation'],
    ...['EmailBouncedDate', 'EmailBouncedReason', 'IsEmailBounced', 'IndividualId', 'JigsawCompanyId', 'JigsawContactId'],
    ...['Contact.LastCURequestDate', 'Contact.LastCUUpdateDate', 'Campaign.CampaignMemberRecordTypeId'],
    ...['Lead.Company', 'Lead.Status', 'Lead.IsConverted', 'Lead.ConvertedDate', 'Lead.ConvertedAccountId'],
    ...['Lead.ConvertedContactId', 'Lead.ConvertedOpportunityId', 'Lead.IsUnreadByOwner'],
    ...[
      'Opportunity.StageName',
      'Opportunity.CloseDate',
      'Opportunity.IsClosed',
      'Opportunity.IsWon',
      'Opportunity.Pricebook2Id',
    ],
    ...['Opportunity.ForecastCategory', 'Opportunity.ForecastCategoryName', 'Opportunity.HasOpportunityLineItem'],
    ...['Opportunity.HasOpenActivity', 'Opportunity.HasOverdueTask', 'Opportunity.LastStageChangeDate'],
    ...['Opportunity.LastAmountChangedHistoryId', 'Opportunity.LastCloseDateChangedHistoryId'],
    ...['Opportunity.FiscalQuarter', 'Opportunity.FiscalYear', 'Opportunity.Fiscal', 'Opportunity.ContactId'],
    ...['Case.CaseNumber', 'Case.Status', 'Case.IsClosed', 'Case.Comments', 'Case.ContactPhone', 'Case.ContactMobile'],
    ...[
      'Case.ContactEmail',
      'Case.ContactFax',
      'Asset.ProductCode',
      'Asset.RootAssetId',
      'Asset.AssetLevel',
      'Product2.IsArchived',
    ],
    ...[
      'Order.EffectiveDate',
      'Order.Status',
      'Order.StatusCode',
      'Order.OrderNumber',
      'Order.TotalAmount',
      'Order.Pricebook2Id',
    ],
  ].map((name) => name.toLowerCase()),
);

const addressPart = /^(\w*?)(?:Street|City|State|StateCode|PostalCode|Country|CountryCode|Latitude|Longitude|GeocodeAccuracy)$/;
const addressOwners = ['Billing', 'Shipping', 'Mailing', 'Other'];

/** What a permission set names to let somebody see a standard field; null when whoever sees the object does. */
export function standardGrant(object: string, field: string): string | null {
  if (alwaysSeen.has(field.toLowerCase()) || alwaysSeen.has(`${object}.${field}`.toLowerCase())) return null;
  const [, owner] = addressPart.exec(field) ?? [];
  const isPart = owner !== undefined && (addressOwners.includes(owner) || (owner === '' && /^lead$/i.test(object)));
  return isPart ? `${owner}Address` : field;
}

/** Objects that no permission set lets somebody see: other rights do, or the object that they belong to. */
const ungranted =
  /^(?:Task|Event|User|UserRole|Group|GroupMember|Profile|RecordType|QueueSobject|OpportunityLineItem|OpportunityContactRole|OrderItem|CampaignMember|PricebookEntry|AccountContactRelation|Attachment|Note|ContentVersion|ContentDocumentLink|\w+(?:Share|History|Feed|Tag))$/i;

export const isGranted = (object: string): boolean => !ungranted.test(object);

/** A right to read one of these is refused without the right to read the others. */
const wants: { readonly [object: string]: readonly string[] } = {
  contact: ['Account'],
  opportunity: ['Account'],
  case: ['Account', 'Contact'],
  contract: ['Account'],
  order: ['Account'],
  asset: ['Account', 'Contact'],
};

export const readWith = (object: string): readonly string[] => wants[object.toLowerCase()] ?? [];
