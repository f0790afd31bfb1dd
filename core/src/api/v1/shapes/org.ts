import { z } from 'zod';
import { orgStates } from '../../../store/org-store.ts';
import { instant, listOf } from './common.ts';
import { budget } from './connection.ts';

export const org = z.object({
  connection: z.string(),
  name: z.string(),
  orgId: z.string(),
  url: z.string(),
  state: z.enum(orgStates),
  reason: z.string().nullable().describe('why it is not active'),
  isReadable: z.boolean().describe('false where the key is lost by which its credential was encrypted'),
  syncs: z.number(),
  unhealthy: listOf(z.string()).describe('syncs that fail, or whose records wait for somebody'),
  openFailures: z.number(),
  lastSuccessAtMs: instant.nullable().describe('of the sync that is longest behind; null while one of them never was read'),
  budget: budget.nullable(),
});

export type OrgShape = z.infer<typeof org>;
