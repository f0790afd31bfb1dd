const NAME = 'tidemark-token';
const listeners = new Set<() => void>();

/** The first token comes in the fragment of the address, which no server is told. It is kept for as long as this tab is open. */
export function takeTokenFromAddress(): void {
  const given = /[#&]token=([^&]+)/.exec(location.hash)?.[1];
  if (given === undefined) return;
  history.replaceState(null, '', location.pathname + location.search);
  setToken(decodeURIComponent(given));
}

export function currentToken(): string | null {
  return sessionStorage.getItem(NAME);
}

/** Null: nobody is signed in any more. */
export function setToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, token);
  for (const listener of listeners) listener();
}

export function onTokenChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
