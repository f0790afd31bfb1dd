import type { Org } from '../org/types.ts';

const names = [
  ['Ingrid', 'Sørensen'],
  ['Miguel', 'Ñáñez'],
  ['Aoife', "O'Sullivan"],
  ['健', '山本'],
  ['Олена', 'Коваль'],
  ['Priya', 'Raman'],
] as const;

/** A licence that the org does not hold as a record; profiles refer to it all the same. */
const userLicenseId = '100000000000001AAA';

/** Colleagues of the administrator, who own the demo records. Made once. */
export function loadDemoUsers(org: Org): void {
  if (org.query("SELECT COUNT() FROM User WHERE Username LIKE 'demo.%@example.com'").totalSize > 0) return;
  const ProfileId = standardProfile(org);
  org.load(
    'User',
    names.map(([FirstName, LastName], index) => ({
      Username: `demo.${index + 1}@example.com`,
      FirstName,
      LastName,
      Email: `demo.${index + 1}@example.com`,
      Alias: `demo${index + 1}`,
      CommunityNickname: `demo${index + 1}`,
      IsActive: true,
      UserType: 'Standard',
      ProfileId,
      TimeZoneSidKey: 'GMT',
      LocaleSidKey: 'en_US',
      LanguageLocaleKey: 'en_US',
      EmailEncodingKey: 'UTF-8',
      DigestFrequency: 'D',
      DefaultGroupNotificationFrequency: 'N',
    })),
  );
}

function standardProfile(org: Org): string {
  const find = () => [...org.table("SELECT Id FROM Profile WHERE Name = 'Standard User' LIMIT 1").rows()][0]?.[0];
  const found = find();
  if (found !== undefined) return found;
  org.load('Profile', [{ Name: 'Standard User', UserType: 'Standard', UserLicenseId: userLicenseId }]);
  return find()!;
}
