import type { ObjectDescribe, Schema } from './types.ts';

/**
 * Describe replies as the wire shows them (REST guide, "Describe Global", "sObject Basic Information", "sObject Describe").
 * `version` is as in paths, `v62.0`. Attributes are those of recent versions whatever `version` is: v42 lacks a dozen of them.
 * Unknown objects give `undefined`.
 */

export interface DescribeGlobal {
  encoding: 'UTF-8';
  maxBatchSize: 200;
  sobjects: Record<string, unknown>[];
}

export function describeGlobal(schema: Schema, version: string): DescribeGlobal {
  const objects = [...schema.objects].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { encoding: 'UTF-8', maxBatchSize: 200, sobjects: objects.map((object) => summary(object, version)) };
}

/** `GET /sobjects/Account`: the entry of describeGlobal, and what the user looked at lately. */
export function describeBasic(
  schema: Schema,
  name: string,
  version: string,
  recentItems: readonly unknown[] = [],
): { objectDescribe: Record<string, unknown>; recentItems: readonly unknown[] } | undefined {
  const object = schema.object(name);
  return object && { objectDescribe: summary(object, version), recentItems };
}

/** `GET /sobjects/Account/describe`. `instanceUrl` goes into the links to the user interface. */
export function describeObject(
  schema: Schema,
  name: string,
  version: string,
  instanceUrl = '',
): Record<string, unknown> | undefined {
  const object = schema.object(name);
  if (!object) return undefined;
  return sorted({
    ...summary(object, version),
    actionOverrides: [],
    childRelationships: object.childRelationships,
    compactLayoutable: hasCompactLayouts(object),
    defaultImplementation: null,
    extendedBy: null,
    extendsInterfaces: null,
    fields: object.fields,
    implementedBy: null,
    implementsInterfaces: null,
    listviewable: null,
    lookupLayoutable: null,
    namedLayoutInfos: [],
    networkScopeFieldName: null,
    recordTypeInfos: recordTypeInfos(object, version),
    searchLayoutable: object.searchable,
    sobjectDescribeOption: 'FULL',
    supportedScopes: supportedScopes(object),
    urls: { ...urls(object, version), ...uiUrls(object, instanceUrl) },
  });
}

/** What an object's entry in describeGlobal says. */
function summary(object: ObjectDescribe, version: string): Record<string, unknown> {
  return sorted({
    activateable: false,
    associateEntityType: null,
    associateParentEntity: null,
    createable: object.createable,
    custom: object.custom,
    customSetting: object.customSetting,
    deepCloneable: deepCloneable.has(object.name),
    deletable: object.deletable,
    deprecatedAndHidden: false,
    feedEnabled: object.feedEnabled,
    hasSubtypes: false,
    isInterface: false,
    isSubtype: false,
    keyPrefix: object.keyPrefix,
    label: object.label,
    labelPlural: object.labelPlural,
    layoutable: object.layoutable,
    mergeable: object.mergeable,
    mruEnabled: object.mruEnabled,
    name: object.name,
    queryable: object.queryable,
    replicateable: object.replicateable,
    retrieveable: object.retrieveable,
    searchable: object.searchable,
    triggerable: object.triggerable,
    undeletable: object.undeletable,
    updateable: object.updateable,
    urls: urls(object, version),
  });
}

const deepCloneable: ReadonlySet<string> = new Set(['Campaign', 'Opportunity', 'Order']);

/** Attributes come in alphabetical order. */
function sorted(attributes: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const hasCompactLayouts = (object: ObjectDescribe) => !object.customSetting && (object.layoutable || object.searchable);
const activities: ReadonlySet<string> = new Set(['Event', 'Task']);
/** Objects with a tab of records have list views and can be approved; those that merely have a page do not. */
const hasTab = (object: ObjectDescribe) => object.mruEnabled && object.undeletable && !activities.has(object.name);

/** Resources that one object alone has, below its path. */
const ownResources: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Case: { caseArticleSuggestions: '/suggestedArticles', caseRowArticleSuggestions: '/{ID}/suggestedArticles' },
  Event: { eventSeriesUpdates: '/{ID}/fromThisEventOnwards' },
  User: { namedLayouts: '/describe/namedLayouts/{LayoutName}', passwordUtilities: '/{ID}/password' },
};

/** Which resources an object has follows from its traits; the recorded describes agree. */
function urls(object: ObjectDescribe, version: string): Record<string, string> {
  const base = `/services/data/${version}/sobjects/${object.name}`;
  const all: Record<string, string> = {};
  if (hasCompactLayouts(object)) all.compactLayouts = `${base}/describe/compactLayouts`;
  all.rowTemplate = `${base}/{ID}`;
  if (hasTab(object)) {
    all.approvalLayouts = `${base}/describe/approvalLayouts`;
    all.listviews = `${base}/listviews`;
  }
  for (const [name, path] of Object.entries(ownResources[object.name] ?? {})) all[name] = base + path;
  all.describe = `${base}/describe`;
  if (object.layoutable) {
    if (object.name !== 'CampaignMember') all.quickActions = `${base}/quickActions`;
    all.layouts = `${base}/describe/layouts`;
  }
  all.sobject = base;
  return all;
}

function uiUrls(object: ObjectDescribe, instanceUrl: string): Record<string, string> {
  if (!object.layoutable || object.keyPrefix === null) return {};
  return {
    uiDetailTemplate: `${instanceUrl}/{ID}`,
    uiEditTemplate: `${instanceUrl}/{ID}/e`,
    uiNewRecord: `${instanceUrl}/${object.keyPrefix}/e`,
  };
}

/** The id that every org gives to the record type of records without one. */
const masterRecordTypeId = '012000000000000AAA';

function recordTypeInfos(object: ObjectDescribe, version: string): unknown[] {
  if (!object.layoutable || object.customSetting) return [];
  return [
    {
      active: true,
      available: true,
      defaultRecordTypeMapping: true,
      developerName: 'Master',
      master: true,
      name: 'Master',
      recordTypeId: masterRecordTypeId,
      urls: { layout: `/services/data/${version}/sobjects/${object.name}/describe/layouts/${masterRecordTypeId}` },
    },
  ];
}

/** What `USING SCOPE` accepts. */
function supportedScopes(object: ObjectDescribe): { label: string; name: string }[] {
  const owner = object.fields.find((field) => field.name === 'OwnerId');
  if (!owner || !object.mruEnabled) return [];
  const plural = object.labelPlural.toLowerCase();
  const scopes = [
    { label: `All ${plural}`, name: 'everything' },
    { label: `My ${plural}`, name: 'mine' },
  ];
  if (owner.referenceTo.includes('Group')) {
    scopes.push({ label: `Queue owned ${plural}`, name: 'queue_owned' }, { label: `User owned ${plural}`, name: 'user_owned' });
  } else {
    scopes.push({ label: 'Filter by scope', name: 'scopingRule' });
  }
  scopes.push({ label: `My team's ${plural}`, name: 'team' });
  return scopes.sort((a, b) => (a.name < b.name ? -1 : 1));
}
