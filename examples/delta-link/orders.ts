import type { SourceBatch, SourceContext, SourceModule } from 'tidemark';

export const fields: SourceModule['fields'] = { id: 'text', status: 'text', total: 'double', placedAt: 'datetime' };

interface OrdersPage {
  orders: { id: string; status: string; total: number; placedAt: string }[];
  /** Number of the last order on the page. */
  last: number;
  more: boolean;
}

/**
 * Orders by number, from where the last good run ended. The cursor moves with every page; Tidemark takes it over only when the
 * run succeeds, so a run that fails half-way is repeated from where the last good one ended.
 */
export default async function* (context: SourceContext): AsyncGenerator<SourceBatch> {
  const { url } = context.options as { url: string };
  let after = Number(context.cursor ?? 0);
  for (let more = true; more; ) {
    const reply = await context.fetch(`${url}?after=${after}`, { signal: context.signal });
    if (!reply.ok) throw new Error(`the order API answered ${reply.status}`);
    const page = (await reply.json()) as OrdersPage;
    ({ more } = page);
    after = page.last;
    yield { records: page.orders, cursor: String(after) };
  }
}
