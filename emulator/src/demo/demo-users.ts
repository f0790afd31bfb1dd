import type { Org } from '../org/types.ts';

const names = [
  ['Ingrid', 'Sørensen'],
  ['Miguel', 'Ñáñez'],
  ['Aoife', "O'Sullivan"],
  ['健', '山本'],
  ['Олена', 'Коваль'],
  ['Priya', 'Raman'],
] as const;

/** Colleagues of the administrator, who own the demo records. Made once. */
export function loadDemoUsers(org: Org): void {
  if (org.query("SELECT COUNT() FROM User WHERE Username LIKE 'demo.%@example.com'").totalSize > 0) return;
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
      TimeZoneSidKey: 'GMT',
      LocaleSidKey: 'en_US',
      LanguageLocaleKey: 'en_US',
      EmailEncodingKey: 'UTF-8',
    })),
  );
}
