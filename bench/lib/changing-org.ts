export interface ChangingOrgInput {
  readonly perSecond: number;
  readonly accounts: number;
  readonly contacts: number;
  readonly seed: number;
}

/** `begin`: change until told to end. `end`: stand still and tell what there is. */
export type ChangingOrgQuestion = { readonly kind: 'begin' | 'end' };

/** Records that are always changed together: their telltale fields hold the same value in every state of the org. */
export interface Together {
  readonly account: string;
  readonly contacts: readonly string[];
}

export type Truth = {
  readonly changes: number;
  readonly transactions: number;
  readonly accounts: readonly CopiedRow[];
  readonly contacts: readonly CopiedRow[];
};
export type CopiedRow = Readonly<Record<string, string | null>>;

/** The phone number of the account among those that are changed together, once nothing more will be written. */
export const theEnd = 'the end';

/** What is copied, by column of the target. */
export const copied = {
  accounts: { id: 'Id', name: 'Name', phone: 'Phone', telltale: 'Site' },
  contacts: { id: 'Id', last: 'LastName', first: 'FirstName', account: 'AccountId', phone: 'Phone', telltale: 'Title' },
} as const;
