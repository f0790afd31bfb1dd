import { declareObject } from '../declare.ts';
import {
  address,
  always,
  checkbox,
  datetime,
  defaulted,
  email,
  int,
  isName,
  notNull,
  phone,
  picklist,
  restricted,
  system,
  text,
  url,
} from '../fields.ts';
import { audit, idField } from '../system-fields.ts';
import { languages, locales, timeZones } from './values.ts';

/** Changed on the company's page only. */
const setting = { createable: false, permissionable: false };
const sharing =
  'None=Private|Read=Public Read Only|Edit=Public Read/Write|ReadEditTransfer=Public Read/Write/Transfer|' +
  'ControlledByLeadOrContact=Controlled By Lead Or Contact|ControlledByParent=Controlled By Parent|All=Public Full Access';

export const organization = declareObject(
  'Organization',
  {
    label: 'Organization',
    keyPrefix: '00D',
    without: ['createable', 'deletable', 'undeletable', 'searchable', 'layoutable', 'triggerable', 'feedEnabled', 'mruEnabled'],
  },
  [
    idField('Organization ID'),
    text('Name', 'Name', 80, always, notNull, isName, { createable: false }),
    text('Division', 'Division', 80, setting),
    ...address('', setting),
    phone('Phone', 'Phone', setting),
    phone('Fax', 'Fax', setting),
    text('PrimaryContact', 'Primary Contact', 80, setting),
    picklist('DefaultLocaleSidKey', 'Locale', locales, setting, notNull, restricted),
    picklist('TimeZoneSidKey', 'Time Zone', timeZones, setting, notNull, restricted),
    picklist('LanguageLocaleKey', 'Language', languages, setting, notNull, restricted),
    checkbox('ReceivesInfoEmails', 'Info Emails', setting),
    checkbox('ReceivesAdminInfoEmails', 'Info Emails Admin', setting),
    checkbox('PreferencesRequireOpportunityProducts', 'RequireOpportunityProducts', system),
    checkbox('PreferencesTransactionSecurityPolicy', 'TransactionSecurityPolicy', system),
    checkbox('PreferencesTerminateOldestSession', 'TerminateOldestSession', system),
    checkbox('PreferencesConsentManagementEnabled', 'ConsentManagementEnabled', system),
    checkbox('PreferencesAutoSelectIndividualOnMerge', 'AutoSelectIndividualOnMerge', system),
    checkbox('PreferencesLightningLoginEnabled', 'LightningLoginEnabled', system),
    checkbox('PreferencesOnlyLLPermUserAllowed', 'OnlyLLPermUserAllowed', system),
    int('FiscalYearStartMonth', 'Fiscal Year Starts In', 9, system),
    checkbox('UsesStartDateAsFiscalYearName', 'Fiscal Year Name by Start', system),
    picklist('DefaultAccountAccess', 'Default Account Access', sharing, system, restricted),
    picklist('DefaultContactAccess', 'Default Contact Access', sharing, system, restricted),
    picklist('DefaultOpportunityAccess', 'Default Opportunity Access', sharing, system, restricted),
    picklist('DefaultLeadAccess', 'Default Lead Access', sharing, system, restricted),
    picklist('DefaultCaseAccess', 'Default Case Access', sharing, system, restricted),
    picklist(
      'DefaultCalendarAccess',
      'Default Calendar Access',
      'HideDetails=Hide Details|HideDetailsInsert=Hide Details and Add Events|ShowDetails=Show Details|' +
        'ShowDetailsInsert=Show Details and Add Events|AllowEdits=Full Access',
      system,
      restricted,
    ),
    picklist(
      'DefaultPricebookAccess',
      'Default Price Book Access',
      'None=No Access|Read=View Only|ReadSelect=Use',
      system,
      restricted,
    ),
    picklist('DefaultCampaignAccess', 'Default Campaign Access', sharing, system, restricted),
    url('DelegatedAuthenticationServiceUrl', 'Delegated Authentication URL', system),
    datetime('SystemModstamp', 'System Modstamp', system, notNull, defaulted),
    email('ComplianceBccEmail', 'Compliance BCC Email', setting),
    picklist('UiSkin', 'UI Skin', 'Theme1=Salesforce.com Classic|Theme2=Salesforce|Theme3=Salesforce', setting, restricted),
    picklist('SignupCountryIsoCode', 'Signup Country', '', system),
    datetime('TrialExpirationDate', 'Trial Expiration Date', system),
    int('NumKnowledgeService', 'Knowledge Licenses', 9, system),
    picklist(
      'OrganizationType',
      'Edition',
      'Team Edition|Professional Edition|Enterprise Edition|Developer Edition|Personal Edition|Unlimited Edition|' +
        'Contact Manager Edition|Base Edition',
      system,
      restricted,
    ),
    text('NamespacePrefix', 'Namespace Prefix', 15, system),
    text('InstanceName', 'Instance Name', 5, system),
    checkbox('IsSandbox', 'Is Sandbox', system),
    picklist('WebToCaseDefaultOrigin', 'Web to Cases Default Origin', 'Phone|Email|Web', setting),
    int('MonthlyPageViewsUsed', 'Monthly Page Views Used', 9, system),
    int('MonthlyPageViewsEntitlement', 'Monthly Page Views Allowed', 9, system),
    checkbox('IsReadOnly', 'Is Read Only', system),
    ...audit().filter(({ describe }) => describe.name !== 'SystemModstamp'),
  ],
);
