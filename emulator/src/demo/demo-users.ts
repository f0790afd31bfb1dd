import { profileRow, userDefaults } from '../access/user-row.ts';
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
  const ProfileId = profileRow(org, 'Standard User');
  org.load(
    'User',
    names.map(([FirstName, LastName], index) => ({
      Username: `demo.${index + 1}@example.com`,
      FirstName,
      LastName,
      Email: `demo.${index + 1}@example.com`,
      Alias: `demo${index + 1}`,
      CommunityNickname: `demo${index + 1}`,
      UserType: 'Standard',
      ProfileId,
      ...userDefaults,
    })),
  );
}
