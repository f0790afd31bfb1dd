/** What every refusal looks like. */
export function errorOf(code: string, message: string, hint: string | undefined) {
  return { error: { code, message, ...(hint !== undefined && { hint }) } };
}
