/** What of a store has methods of its own: a process reaches them, and dies on the way, as it does the store's. */
export const storeParts: ReadonlySet<string | symbol> = new Set(['checkpoints', 'links', 'journal', 'calls']);
