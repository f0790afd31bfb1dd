import type { Difference } from './structure.ts';

/** Differences from the recordings that are as they should be. Whatever is not here is a failure. */
export interface Justification {
  readonly file: RegExp;
  readonly path: RegExp;
  readonly what: RegExp;
  readonly reason: string;
}

const any = /^/;
const olderSchema = /schema-4egf/;
const creations = /AccountCreationEvents/;
const describes = /^describe\//;

export const justified: readonly Justification[] = [
  {
    file: olderSchema,
    path: /^(ChangeEventHeader|BillingAddress|Some_Geolocation__c)\.type$/,
    what: any,
    reason: 'a schema of 2023: no SNAPSHOT yet, and an Xyz in addresses and places that the newer recording has no more',
  },
  { file: creations, path: /\.Xyz$/, what: any, reason: 'Xyz in events of that schema: always null' },
  {
    file: olderSchema,
    path: /^(Fax|TickerSymbol|PersonBirthdate)\.doc$/,
    what: any,
    reason: 'docs that the newer recording has otherwise, as they are here; they change neither bytes nor ids',
  },
  {
    file: olderSchema,
    path: /^Name\.type$/,
    what: any,
    reason: 'middle names and suffixes are a setting of the org, which the emulator has not; the newer recording lacks them too',
  },
  {
    file: creations,
    path: /\.body\.Person\w+$/,
    what: /^only here$/,
    reason: 'the emulator has no person accounts: their checkboxes are fields of every account, and false instead of null',
  },
  {
    file: /AccountMergedUpdate/,
    path: /^events$/,
    what: /^2, here 1$/,
    reason: 'the real org told the edit date and the edited field of the same 20 records apart; here both are in one event',
  },
  {
    file: describes,
    path: /\.(aiPredictionField|formulaTreatNullNumberAsZero|developerName)$/,
    what: /^only here$/,
    reason: 'attributes newer than API 42: the emulator describes as recent versions do whatever version is asked for',
  },
  {
    file: describes,
    path: /^(associate\w+|deepCloneable|defaultImplementation|extend\w+|implement\w+|isInterface|sobjectDescribeOption)$/,
    what: /^only here$/,
    reason: 'attributes of objects that not every version and object shows: the emulator shows all of them',
  },
  {
    file: describes,
    path: /(^|\.)urls/,
    what: any,
    reason: 'links to layouts, list views and the user interface: which there are and their order differ from org to org',
  },
  {
    file: /cumulusci-Account/,
    path: /^fields\[(RecordTypeId|IsPartner|IsCustomerPortal|ChannelProgram\w+)\]$/,
    what: /^missing here$/,
    reason: 'fields that come with a feature (record types, partner and customer portals), which the emulator has not',
  },
  {
    file: /cumulusci-Account/,
    path: /^fields\[\w+__c\]$/,
    what: /^missing here$/,
    reason: 'custom fields whose `custom` its author took out of the recording',
  },
  {
    file: /cumulusci-Event/,
    path: /junction/,
    what: any,
    reason: 'junctions of events to many contacts: the emulator has no shared activities',
  },
  {
    file: /rest\/record-/,
    path: /__c$/,
    what: /^only here$/,
    reason: 'custom fields that the org had when it was described, and not yet when the record was read',
  },
  {
    file: /rest\/record-/,
    path: /^(PhotoUrl|LastViewedDate|LastReferencedDate)$/,
    what: /^a value, here null$/,
    reason: 'photos, and who looked at what and when, are not kept',
  },
  {
    file: /read-list-leads/,
    path: /^nextRecordsUrl$/,
    what: any,
    reason: 'added by hand: the recording says at once that all is done',
  },
  {
    file: /cometd-json\/new_account/,
    path: any,
    what: any,
    reason: 'the rendering of the Pub/Sub API in the guide, with a null for each field: CometD sends what has a value',
  },
  {
    file: /cometd-json\/update_lead/,
    path: any,
    what: any,
    reason: 'shortened by hand: it names the changed parts of an address and has no address',
  },
  {
    file: /cometd-json\/update_user/,
    path: any,
    what: any,
    reason: 'changed by hand: alphabetical order, `recordId` instead of a list; and another user than the last one had edited',
  },
];

export const justificationOf = (difference: Difference): Justification | undefined =>
  justified.find(
    ({ file, path, what }) => file.test(difference.file) && path.test(difference.path) && what.test(difference.what),
  );
