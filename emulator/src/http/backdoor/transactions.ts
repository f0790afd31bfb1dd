import type { Transaction } from '../../org/types.ts';
import type { EmulatorContext } from '../context.ts';
import type { BackdoorRequest, BackdoorRoute } from './backdoor.ts';
import { readList, readText } from './read.ts';
import { applyWrite } from './writes.ts';

/** Transactions held open: their records are stamped when written and seen when committed, be it an hour later. */
export const transactionRoutes: readonly BackdoorRoute[] = [
  {
    method: 'POST',
    path: '/transactions',
    answer({ body }, { org, transactions }) {
      const transaction = org.begin(body.userId === undefined ? {} : { userId: readText(body, 'userId') });
      transactions.set(transaction.id, transaction);
      return facts(transaction);
    },
  },
  {
    method: 'GET',
    path: '/transactions',
    answer: (_request, { transactions }) => ({ transactions: [...transactions.values()].map(facts) }),
  },
  {
    method: 'POST',
    path: '/transactions/:id/writes',
    answer(request, context) {
      const transaction = held(request, context);
      return { results: readList(request.body, 'writes').map((write) => applyWrite(transaction, write)) };
    },
  },
  { method: 'POST', path: '/transactions/:id/commit', answer: (request, context) => take(request, context).commit() },
  { method: 'POST', path: '/transactions/:id/rollback', answer: (request, context) => take(request, context).rollback() },
];

const facts = ({ id, startedAtMs }: Transaction) => ({ id, startedAt: new Date(startedAtMs).toISOString() });

function held({ params }: BackdoorRequest, { transactions }: EmulatorContext): Transaction {
  const transaction = transactions.get(params.id as string);
  if (!transaction) throw new TypeError(`there is no open transaction '${params.id}'`);
  return transaction;
}

/** Once tried, a commit is over, whatever came of it. */
function take(request: BackdoorRequest, context: EmulatorContext): Transaction {
  const transaction = held(request, context);
  context.transactions.delete(transaction.id);
  return transaction;
}
