import type { DuplicateRule } from '../../org/types.ts';
import type { BackdoorRoute } from './backdoor.ts';
import { readList, readText, refuseUnknown } from './read.ts';

export const duplicateRuleRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/duplicate-rules', answer: (_request, { org }) => ({ rules: org.duplicateRules.list() }) },
  {
    method: 'POST',
    path: '/duplicate-rules',
    answer({ body }, { org }) {
      refuseUnknown(body, ['name', 'object', 'fields', 'action', 'message']);
      const rule: DuplicateRule = {
        object: readText(body, 'object'),
        fields: readList(body, 'fields') as string[],
        action: readText(body, 'action') as DuplicateRule['action'],
        ...(body.name === undefined ? {} : { name: readText(body, 'name') }),
        ...(body.message === undefined ? {} : { message: readText(body, 'message') }),
      };
      return { name: org.duplicateRules.define(rule) };
    },
  },
  {
    method: 'DELETE',
    path: '/duplicate-rules/:name',
    answer: ({ params }, { org }) => ({ removed: org.duplicateRules.remove(params.name as string) }),
  },
];
