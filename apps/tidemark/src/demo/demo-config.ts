import type { EmulatorCredentials } from '@tidemark/emulator';

/** What the demo keeps equal: object → table. */
export const demoSyncs = {
  accounts: 'Account',
  contacts: 'Contact',
  leads: 'Lead',
  opportunities: 'Opportunity',
  cases: 'Case',
} as const;

export type DemoSync = keyof typeof demoSyncs;

/**
 * The configuration that the demo runs, as a user would write it. The credentials open nothing but the emulator, for as long as
 * it runs, so they may stand in the file: other commands can be tried on it while the demo goes on.
 */
export function demoConfig(credentials: EmulatorCredentials, files: { database: string; store: string }): string {
  const syncs = Object.entries(demoSyncs).map(
    ([name, object]) => `  ${name}:
    from: { connection: org, object: ${object} }
    to: { connection: copy, table: ${object} }
    every: 1s
    retry: { delay: 200ms, delayMax: 1s }
`,
  );
  return `# Written by \`tidemark demo\`. The org is an emulator on this machine.
store: { url: ${JSON.stringify(files.store)} }
connections:
  org:
    type: salesforce
    loginUrl: ${JSON.stringify(credentials.loginUrl)}
    auth:
      flow: client-credentials
      clientId: ${JSON.stringify(`\${DEMO_CLIENT_ID:-${credentials.clientId}}`)}
      clientSecret: ${JSON.stringify(`\${DEMO_CLIENT_SECRET:-${credentials.clientSecret}}`)}
  copy: { type: sqlite, path: ${JSON.stringify(files.database)} }
syncs:
${syncs.join('')}`;
}
