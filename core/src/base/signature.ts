import { createHmac } from 'node:crypto';

/** `sha256=` and the HMAC-SHA256 of "timestamp.body" in hexadecimal: how we sign what we send. */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}
