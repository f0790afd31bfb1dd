import { outstandingMax } from './transport.ts';

/** Fewer are not asked for while others are on their way: a request for each event costs as much as the event. */
const requestMin = 25;

/** Counts what the consumer has allowed, and what of it was asked for and has not come. */
export class Credit {
  #granted = 0;
  #outstanding = 0;
  #wake: (() => void) | null = null;

  grant(events: number): void {
    if (!(events > 0)) return;
    this.#granted += events;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Something was asked for and has not come. */
  get isAsked(): boolean {
    return this.#outstanding > 0;
  }

  /** How many to ask for now; they count as asked for. */
  take(): number {
    const events = Math.min(this.#granted, outstandingMax - this.#outstanding);
    if (events <= 0 || (this.#outstanding > 0 && events < requestMin)) return 0;
    this.#granted -= events;
    this.#outstanding += events;
    return events;
  }

  /** So many have come. Those that are not handed on use no credit: they are granted once more. */
  received(events: number): void {
    this.#outstanding = Math.max(0, this.#outstanding - events);
  }

  /** What was asked for will not come: the connection is gone. */
  recall(): void {
    this.#granted += this.#outstanding;
    this.#outstanding = 0;
  }

  /** Resolves once something may be asked for; at once when it may. One waiter at a time. */
  async available(signal: AbortSignal): Promise<void> {
    if (this.#granted > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
