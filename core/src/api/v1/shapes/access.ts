import { z } from 'zod';
import { roles } from '../../../store/access-store.ts';
import { instant } from './common.ts';

export const role = z.enum(roles);
export const token = z.object({
  id: z.string(),
  name: z.string(),
  role,
  createdAtMs: instant,
  usedAtMs: instant.nullable(),
});
export const me = z.object({ token, version: z.string() });
export const auditEntry = z.object({
  id: z.string(),
  atMs: instant,
  who: z.string(),
  what: z.string(),
  status: z.number(),
  from: z.string(),
});

export type MeShape = z.infer<typeof me>;
export type TokenShape = z.infer<typeof token>;
export type AuditEntryShape = z.infer<typeof auditEntry>;
