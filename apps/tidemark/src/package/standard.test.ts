import { evidence, startEmulator } from '@tidemark/emulator';
import { expect, test } from 'vitest';
import { isGranted, standardGrant } from './standard.ts';

// A permission set that names a field which everybody sees is not deployed at all, and one that lacks a field hides it.

test(`what is known of standard fields without an org is what orgs tell ${evidence('recorded', 'describes of Account, Contact, Lead, Case, Opportunity, Campaign')}`, async () => {
  const org = await startEmulator({ listen: false, records: 0 });
  try {
    const wrong: string[] = [];
    for (const name of ['Account', 'Contact', 'Lead', 'Opportunity', 'Case', 'Campaign', 'Product2', 'Asset', 'Order']) {
      expect(isGranted(name)).toBe(true);
      for (const field of org.org.schema.object(name)!.fields) {
        // A place's parts are an address's, but for names, of which whoever sees the object sees all.
        const expected = field.permissionable ? (field.compoundFieldName ?? field.name) : null;
        const told = standardGrant(name, field.name);
        if (told !== expected) wrong.push(`${name}.${field.name}: ${told}, and not ${expected}`);
      }
    }
    expect(wrong).toEqual([]);
  } finally {
    await org.close();
  }
});
