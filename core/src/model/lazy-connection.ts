/**
 * A connection whose driver is loaded when the connection is first used: some are large, and whoever has no such system does without (P9).
 *
 * @param offers  every method of it; each has to answer a promise
 */
export function lazyConnection<Opened extends AsyncDisposable>(
  offers: readonly Exclude<keyof Opened, symbol>[],
  load: () => Promise<Opened>,
): Opened {
  let loading: Promise<Opened> | undefined;
  const later =
    (name: keyof Opened) =>
    async (...given: readonly unknown[]): Promise<unknown> => {
      loading ??= load();
      const opened = await loading;
      return (opened[name] as (...given: unknown[]) => unknown).apply(opened, [...given]);
    };
  const methods = Object.fromEntries(offers.map((name) => [name, later(name)]));
  const end = async () => (await loading)?.[Symbol.asyncDispose]();
  return { ...methods, [Symbol.asyncDispose]: end } as unknown as Opened;
}
