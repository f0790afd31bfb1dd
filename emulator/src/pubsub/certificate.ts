/** PEM, both. */
export interface KeyPair {
  key: string;
  certificate: string;
}

let shared: Promise<KeyPair> | undefined;

/**
 * A certificate for this machine's own names, made when first asked for and the same for every emulator of the process.
 * It is its own authority: a client that is given it as root trusts the server.
 */
export function processCertificate(): Promise<KeyPair> {
  shared ??= makeCertificate();
  return shared;
}

async function makeCertificate(): Promise<KeyPair> {
  // Loading it takes longer than the rest of the emulator's start.
  const { generate } = await import('selfsigned');
  const dns = (value: string) => ({ type: 2 as const, value });
  const ip = (address: string) => ({ type: 7 as const, ip: address });
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'Tidemark Salesforce emulator' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [dns('localhost'), dns('host.docker.internal'), ip('127.0.0.1'), ip('::1')] },
    ],
  });
  return { key, certificate: cert };
}
