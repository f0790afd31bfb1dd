import { type PermissionSet, wholeField, wholeObject } from './permission-set.ts';

/** Profiles that an org has from the start, in the rough strokes that an integration can tell apart. */
export const profiles = {
  'System Administrator': {
    otherObjects: wholeObject,
    otherFields: wholeField,
    system: {
      apiEnabled: true,
      viewAllData: true,
      modifyAllData: true,
      bulkApiHardDelete: true,
      viewSetup: true,
      customizeApplication: true,
    },
  },
  'Standard User': {
    otherObjects: { read: true, create: true, edit: true, delete: true },
    otherFields: wholeField,
    system: { apiEnabled: true, viewSetup: true },
  },
  'Read Only': { otherObjects: { read: true }, otherFields: { read: true }, system: { apiEnabled: true, viewSetup: true } },
  /** Grants nothing but the API: permissions come from sets (Salesforce Help, "Salesforce Integration User License"). */
  'Minimum Access - API Only Integrations': { system: { apiEnabled: true } },
} as const satisfies Record<string, PermissionSet>;

export type ProfileName = keyof typeof profiles;
export const isProfileName = (name: string): name is ProfileName => Object.hasOwn(profiles, name);
