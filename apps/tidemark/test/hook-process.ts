import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Workplace } from '../src/testing.ts';

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));

/** The real process, which answers HTTP. */
export interface HookProcess {
  readonly url: string;
  /** What it has logged so far. */
  told(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const children = new Set<ChildProcess>();

export async function startProcess(place: Workplace, ...argv: string[]): Promise<HookProcess> {
  const child = spawn(process.execPath, [bin, 'start', '--port', '0', ...argv], {
    env: { PATH: process.env.PATH ?? '', TIDEMARK_CONFIG: place.path('tidemark.yaml'), ...place.env },
  });
  children.add(child);
  let err = '';
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (data) => {
      err += data;
      const found = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(err);
      if (found !== null) resolve(found[1]!);
    });
    child.on('close', () => reject(new Error(err)));
  });
  return {
    url,
    told: () => err,
    stop: async (signal = 'SIGKILL') => {
      child.kill(signal);
      await ended;
      children.delete(child);
    },
  };
}

/** Those that a failed test has left. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any;
}

export async function send(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return answerOf(await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text }));
}

export async function ask(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return answerOf(await fetch(url, { headers }));
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

/** As a sender signs: "timestamp.body". */
export function signed(secret: string, body: string, atMs = Date.now()): Record<string, string> {
  const timestamp = String(atMs / 1000);
  const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return { 'x-tidemark-timestamp': timestamp, 'x-tidemark-signature': `sha256=${signature}` };
}
