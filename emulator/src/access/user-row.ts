import type { Org, Values } from '../org/types.ts';

/** A licence that the org does not hold as a record; profiles refer to it all the same. */
const userLicenseId = '100000000000001AAA';

/** The Profile record of this name, made when there is none. */
export function profileRow(org: Org, name: string): string {
  const quoted = `'${name.replaceAll(/['\\]/g, '\\$&')}'`;
  const find = () => [...org.table(`SELECT Id FROM Profile WHERE Name = ${quoted} LIMIT 1`).rows()][0]?.[0];
  const found = find();
  if (found !== undefined) return found;
  org.load('Profile', [{ Name: name, UserType: 'Standard', UserLicenseId: userLicenseId }]);
  return find() as string;
}

/** What a User record must have beside a name. */
export const userDefaults: Values = {
  IsActive: true,
  TimeZoneSidKey: 'GMT',
  LocaleSidKey: 'en_US',
  LanguageLocaleKey: 'en_US',
  EmailEncodingKey: 'UTF-8',
  DigestFrequency: 'D',
  DefaultGroupNotificationFrequency: 'N',
};
