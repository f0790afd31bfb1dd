/** What makes the browser take styles that are made as the page runs: it comes with the page, and is another one each time. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';

export function styleNonce(): string {
  return nonce;
}

// Libraries below Mantine ask for it by this name.
Object.assign(globalThis, { __webpack_nonce__: nonce });
