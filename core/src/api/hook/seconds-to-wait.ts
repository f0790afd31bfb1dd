/** Longest wait for an outcome, in seconds. */
const WAIT_MAX = 60;

export const WAIT_HINT = `write ?wait=10, ${WAIT_MAX} at most`;

/** How long somebody wants to be kept waiting for an outcome; null for what is no wait. */
export function secondsToWait({ wait = '0' }: Readonly<Record<string, unknown>>): number | null {
  return typeof wait === 'string' && /^\d{1,2}$/.test(wait) && Number(wait) <= WAIT_MAX ? Number(wait) : null;
}
