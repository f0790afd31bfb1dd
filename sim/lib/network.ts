import type { Random } from '@tidemark/core';
import type { Emulator } from '@tidemark/emulator';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import type { Faults } from '../live/plan.ts';

/** Between an engine and the org: how long things take, and what becomes of them. */
export interface Network {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly emulator: Emulator;
  /** None while null: the world has come to its end and settles. */
  faults: Faults | null;
  /** The org has just done what a request asks for, and nobody knows yet. */
  readonly onDone?: () => void;
}

/** Longer than anybody waits for a reply. */
const hungMs = 10 * 60_000;

/** `fetch` of one life of the engine. */
export function simulatedFetch(network: Network, life: Life): typeof globalThis.fetch {
  const { scheduler, random, emulator } = network;
  return async (input, init) => {
    const signal = init?.signal ?? undefined;
    const what = `${init?.method ?? 'GET'} ${pathOf(String(input))}`;
    const faults = network.faults?.http;
    const strikes = (p: number | undefined) => random() < (p ?? 0);
    const lost = strikes(faults?.lost);
    const replyLost = strikes(faults?.replyLost);
    const cutBody = strikes(faults?.cutBody);
    const unavailable = strikes(faults?.unavailable);
    const slow = strikes(faults?.slow);
    const twice = faults?.twice !== undefined && strikes(faults.twice);
    const beforeMs = latency(random);
    const afterMs = slow ? Math.floor(random() * (random() < 0.2 ? hungMs : 20_000)) : latency(random);
    await scheduler.park(life, `${what}${lost ? ' is lost' : ''}`, beforeMs, signal);
    if (lost) throw new TypeError('fetch failed', { cause: new Error('the connection was refused') });
    if (unavailable) return new Response('[{"message":"Server is too busy","errorCode":"SERVER_UNAVAILABLE"}]', { status: 503 });
    const answer = scheduler.outside(
      life,
      `${what} arrives`,
      async () => {
        const { signal: _, ...rest } = init ?? {};
        if (twice) await emulator.fetch(input, rest);
        const reply = await emulator.fetch(input, rest);
        network.onDone?.();
        return { status: reply.status, headers: reply.headers, body: Buffer.from(await reply.arrayBuffer()) };
      },
      {},
    );
    const { status, headers, body } = await answer;
    await scheduler.park(life, `${what} ${status}${replyLost ? ' is lost' : ''}`, afterMs, signal);
    if (replyLost) throw new TypeError('fetch failed', { cause: new Error('the connection was reset') });
    const empty = status === 204 || status === 304;
    if (cutBody && body.length > 0) return new Response(cut(body, random), { status, headers });
    return new Response(empty ? null : new Uint8Array(body), { status, headers });
  };
}

/** A part of the body, and then the connection breaks. */
function cut(body: Buffer, random: Random): ReadableStream<Uint8Array> {
  const part = new Uint8Array(body.subarray(0, Math.floor(random() * body.length)));
  let sent = false;
  return new ReadableStream({
    pull(controller) {
      if (sent || part.length === 0) controller.error(new TypeError('terminated'));
      else controller.enqueue(part);
      sent = true;
    },
  });
}

export function latency(random: Random): number {
  return 1 + Math.floor(random() * (random() < 0.9 ? 30 : 300));
}

/** On this machine: mostly nothing, so that what is done at once is done in one moment, and a while now and then. */
export function localDelay(random: Random): number {
  return random() < 0.9 ? 0 : Math.floor(random() * 40);
}

/** Without values of records and without tokens: what was asked. */
const pathOf = (url: string) => new URL(url).pathname.replace(/^\/services\/(data\/v\d+\.0\/)?/, '');
