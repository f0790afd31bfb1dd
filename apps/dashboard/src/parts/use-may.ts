import type { TokenShape } from '@tidemark/core/api';
import { useMe } from '../api/queries.ts';

const roles: readonly TokenShape['role'][] = ['read', 'operate', 'admin'];

/** Whether the token of this page is enough for something. The server decides; this only spares a refusal. */
export function useMay(needed: TokenShape['role']): boolean {
  const { data } = useMe();
  return data !== undefined && roles.indexOf(data.token.role) >= roles.indexOf(needed);
}
