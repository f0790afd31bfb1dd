import { randomInt } from 'node:crypto';
import type { Row, StepContext } from 'tidemark';

export const fields = { SignupCode: 'text' } as const;

/** Without letters and digits that people take for each other. */
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const makeCode = () => Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]).join('');

/** Every account has one code, made when it is first seen. A retry, a replay and a full run come to the same one. */
export default function addSignupCode(records: readonly Row[], { once }: StepContext): Promise<Row[]> {
  return Promise.all(records.map(async (record) => ({ ...record, SignupCode: await once(String(record.Id), makeCode) })));
}
