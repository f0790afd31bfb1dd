import type { ObjectDeclaration } from '../declare.ts';
import { account } from './account.ts';
import { contact } from './contact.ts';

export const standardObjects: readonly ObjectDeclaration[] = [account, contact];
