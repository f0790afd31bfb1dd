import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { justificationOf, justified } from './justified.ts';
import { compareDescribes } from './recorded-describes.ts';
import { compareEvents } from './recorded-events.ts';
import { compareMessages } from './recorded-messages.ts';
import { type RecordedOrg, startRecordedOrg } from './recorded-org.ts';
import { compareReplies } from './recorded-replies.ts';
import { openRecording, type Recording } from './recording.ts';

const usage = `npm run conformance -- recorded --dir <folder> [--verbose]

Compares the emulator with recordings of real orgs: change events, their schemas, describes, replies of REST and Bulk.
Every difference is listed with the reason why it may be; one without a reason is a failure.
`;

const parts: Readonly<Record<string, (recording: Recording, org: RecordedOrg) => void | Promise<void>>> = {
  'change events': compareEvents,
  'CometD messages': compareMessages,
  describes: compareDescribes,
  'REST and Bulk replies': compareReplies,
};

/** The folder of recordings, or null when it was not said right. */
export function readFolder(argv: readonly string[]): { folder: string; verbose: boolean } | null {
  const { values } = parseArgs({
    args: [...argv],
    options: { dir: { type: 'string' }, verbose: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help || values.dir === undefined || !statSync(values.dir, { throwIfNoEntry: false })?.isDirectory()) return null;
  return { folder: values.dir, verbose: values.verbose === true };
}

export async function conform(argv: readonly string[]): Promise<number> {
  const asked = readFolder(argv);
  if (asked === null) {
    console.log(usage);
    return 2;
  }
  const recording = openRecording(asked.folder);
  const org = await startRecordedOrg(recording);
  try {
    for (const [name, compare] of Object.entries(parts)) {
      const [comparisons, differences] = [recording.comparisons, recording.differences.length];
      await compare(recording, org);
      const found = recording.differences.length - differences;
      console.log(`${name}: ${recording.comparisons - comparisons} comparisons, ${found} differences`);
    }
  } finally {
    await org.emulator.close();
  }
  return report(recording, asked.verbose);
}

function report({ differences }: Recording, verbose: boolean): number {
  const byReason = Map.groupBy(differences, justificationOf);
  for (const justification of justified) {
    const found = byReason.get(justification) ?? [];
    console.log(`\n${found.length} ${justification.reason}`);
    const shown = verbose ? found : found.slice(0, 3);
    for (const { file, path, what } of shown) console.log(`    ${file} ${path}: ${what}`);
    if (shown.length < found.length) console.log(`    … (--verbose lists all)`);
  }
  const stale = justified.filter((each) => !byReason.has(each));
  for (const { reason } of stale) console.log(`\nNO LONGER THERE: ${reason}`);
  const unjustified = byReason.get(undefined) ?? [];
  if (unjustified.length > 0) console.log(`\n${unjustified.length} WITHOUT A REASON:`);
  for (const { file, path, what } of unjustified) console.log(`    ${file} ${path}: ${what}`);
  console.log(`\n${differences.length - unjustified.length} differences justified, ${unjustified.length} not.`);
  return unjustified.length + stale.length === 0 ? 0 : 1;
}
