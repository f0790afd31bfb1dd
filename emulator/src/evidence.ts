/** How we know that the real Salesforce does what a test of the emulator claims. */
export type Evidence = 'recorded' | 'documented' | 'assumed';

/**
 * The end of a test's name: `[documented: SOQL Reference, LIMIT]`.
 *
 * An emulator is only worth what its likeness is worth, so every test of its behaviour says where the behaviour comes
 * from: a recorded reply of a real org, a page of Salesforce's guides, or our assumption. Assumptions are then found with
 * one search when a real org disagrees.
 *
 * @param where  The guide and its section, the recording, or for an assumption what it rests on.
 */
export function evidence(kind: Evidence, where: string): string {
  return `[${kind}: ${where}]`;
}
