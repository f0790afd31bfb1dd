import { inFile } from '../lib/in-file.ts';
import type { Mutation } from '../lib/simulation.ts';

const attempt = inFile('core/src/pipeline/live/live-attempt.ts');
const gather = inFile('core/src/pipeline/live/gather.ts');
const inbox = inFile('core/src/pipeline/live/inbox.ts');
const rereads = inFile('core/src/pipeline/live/rereads.ts');
const runLive = inFile('core/src/pipeline/live/run-live.ts');
const standby = inFile('core/src/pipeline/live/standby.ts');
const liveSync = inFile('core/src/pipeline/live/live-sync.ts');
const folding = inFile('core/src/pipeline/live/fold-events.ts');
const partial = inFile('core/src/pipeline/live/partial.ts');
const stream = inFile('connectors/salesforce/stream/event-stream.ts');
const messages = inFile('connectors/salesforce/stream/read-message.ts');
const handlers = inFile('connectors/sqlite/handlers.ts');

const liveTest = (name: string) => ({ file: 'core/src/control/live.test.ts', name });

/** Every safeguard of a live stream, taken away one at a time. */
export const mutations: readonly Mutation[] = [
  {
    name: 'the position is kept before the data',
    promise: 'P1',
    edits: [
      attempt(
        '      const prepared = [];',
        `      if (whole) {
        this.#position = position;
        await this.#parts.checkpoints.write(this.#parts.unit, this.#parts.epoch, this.#encoded());
      }
      const prepared = [];`,
      ),
    ],
  },
  {
    name: 'the position runs ahead to the end of what was delivered',
    promise: 'P1',
    edits: [
      inbox(
        'const position = nothingBehind || events.length === 0 ? this.#position! : events.at(-1)!.position;',
        'const position = this.#position! ?? nothingBehind;',
      ),
    ],
  },
  {
    name: 'the position passes what only waits to be written',
    promise: 'P1',
    edits: [
      attempt(
        '    this.#parted = !taken.whole;',
        '    this.#parted = !taken.whole;\n    if (taken.whole) this.#position = taken.position;',
      ),
      attempt('      this.#position = position;\n', '      void position;\n'),
    ],
  },
  {
    name: 'a read counts though the stream does not listen yet',
    promise: 'P1',
    edits: [
      rereads('    await this.#listen();\n    let failures = 0;', '    let failures = 0;'),
      rereads('const closes = this.#listening && !this.#loading.has(sync);', 'const closes = true;'),
    ],
  },
  {
    name: 'what was committed before the first word of a silent subscription is not read',
    promise: 'P1',
    edits: [attempt('if (isAssumed && !delivery.assumed) for', 'if (isAssumed && !isAssumed) for')],
  },
  {
    name: 'a connection that is lost before its first position begins anew, and nothing is read',
    promise: 'P1',
    edits: [stream('if (standing !== null && reader.after === null) {', 'if (standing === null && reader.after !== null) {')],
  },
  {
    name: 'the first load counts though events were left out meanwhile',
    promise: 'P1',
    edits: [rereads('const closes = this.#listening && !this.#loading.has(sync);', 'const closes = this.#listening;')],
  },
  {
    name: 'a read closes a hole that came up after it had begun',
    promise: 'P5',
    edits: [
      rereads('if (this.#holes.get(sync) !== hole) return;', ''),
      rereads('known !== undefined && !known.begun &&', 'known !== undefined &&'),
    ],
  },
  {
    name: 'a lost position begins anew at the latest, and nothing is read',
    promise: 'P5',
    edits: [
      attempt(
        "if (known !== sync.opened.config.fingerprint || this.#position === null) parts.rereads.mark(sync.name, 'delta');",
        "if (known !== sync.opened.config.fingerprint) parts.rereads.mark(sync.name, 'delta');",
      ),
      runLive('rereads: { ...missed, ...kept.rereads } };', 'rereads: kept.rereads };'),
    ],
  },
  {
    name: 'a gap event is an update without fields',
    promise: 'P5',
    edits: [
      folding(
        '  switch (op) {',
        "  switch (op) {\n    case 'gap':\n      return before ?? { kind: 'set', row: newRow(), stampMs: null };",
      ),
    ],
  },
  {
    name: 'an overflow event is passed over',
    promise: 'P5',
    edits: [gather('      mark(batch, sync.name, { sinceMs: event.committedAtMs });', '')],
  },
  {
    // One world in thousands: a record is made, changed by an overflow and changed once more before the first of these is written.
    name: 'what is read again does not wait for what was told before',
    promise: 'P3',
    test: {
      file: 'core/src/pipeline/live/gather.test.ts',
      name: 'what an overflow does not tell is read again once all that was gathered with it is written',
    },
    edits: [
      gather(
        '      mark(batch, sync.name, { sinceMs: event.committedAtMs });',
        '      this.#parts.rereads.mark(sync.name, { sinceMs: event.committedAtMs });',
      ),
    ],
  },
  {
    // What was converted is mostly written again before a world ends.
    name: 'a wildcard is read by what has a newer stamp',
    promise: 'P5',
    test: liveTest('P5: what a change of all records of a kind has made of them is in the copy, though no stamp tells of it'),
    edits: [gather("mark(batch, sync.name, 'full');", "mark(batch, sync.name, 'delta');")],
  },
  {
    // No sync of a world ever stands aside.
    name: 'a wildcard of a sync that stands aside goes unnoticed',
    promise: 'P5',
    test: liveTest(
      'P5: a change of all records of a sync that stands aside is read when it is back, in another life too, whatever no delta shows',
    ),
    edits: [gather('for (const [sync, dataset] of aside)', 'for (const [sync, dataset] of new Map<string, string>())')],
  },
  {
    name: 'who has lost a stream does not come back to it',
    promise: 'P5',
    test: liveTest(
      'P5, P11: who has lost the stream takes it over again when the other one is gone: at once when that was stopped, else after a minute',
    ),
    edits: [runLive('await standBy(error, options, (within) => open(within, new Set()));', 'return void standBy && open;')],
  },
  {
    // Epochs undo it, and both go on in turns.
    name: 'who has lost a stream takes it back though the other one is there',
    promise: 'P11',
    test: liveTest(
      'P5, P11: who has lost the stream takes it over again when the other one is gone: at once when that was stopped, else after a minute',
    ),
    edits: [standby('    if (kept !== last) {', '    if (last === null && kept !== last) {')],
  },
  {
    name: 'holes are known in memory only',
    promise: 'P5',
    edits: [attempt('rereads: rereads.kept,', 'rereads: {},')],
  },
  {
    name: 'what a paused sync missed is not read',
    promise: 'P1',
    edits: [
      gather(
        "        if (rereads.isPaused(sync.name)) {\n          mark(batch, sync.name, 'delta');",
        '        if (rereads.isPaused(sync.name)) {',
      ),
    ],
  },
  {
    name: 'every delivery is taken for whole transactions',
    promise: 'P6',
    edits: [
      inbox(
        'if (this.#coming !== null && (this.#isCaughtUp || this.#settleMs === 0)) this.#settle();',
        'if (this.#coming !== null) this.#endTransaction();',
      ),
    ],
  },
  {
    name: 'no more events are asked for until whole transactions are written',
    promise: 'P6',
    edits: [inbox('    grant(EVENTS_MAX - this.#withheld);', '    grant(100);')],
  },
  {
    name: 'a message that uses up what was asked for is taken for the last',
    promise: 'P6',
    edits: [messages('caughtUp: pending > 0 };', 'caughtUp: pending >= 0 };')],
  },
  {
    // Stamps undo it but within one second, between a poll's last look and its write.
    name: 'polls write while the stream is about to',
    promise: 'P3',
    test: {
      file: 'core/src/pipeline/live/write-gate.test.ts',
      name: 'turns are taken one after the other, in the order in which they were asked for, and one that fails ends as well',
    },
    edits: [inFile('core/src/pipeline/live/write-gate.ts')('    await before;\n', '    void before;\n')],
  },
  {
    // What a poll brings too late is mostly older by its stamp, and then changes nothing.
    name: 'polls do not look whether the stream has written since they read',
    promise: 'P3',
    test: liveTest('P3: what a poll has read does not undo what the stream has written since, of the same second too'),
    edits: [
      inFile('core/src/pipeline/live/write-gate.ts')(
        'return sequence < this.#forgotten ||',
        'return sequence < 0 && sequence < this.#forgotten ||',
      ),
      inFile('core/src/pipeline/delta.ts')(
        'const touched = batch.changes.flatMap(({ key }) => (gate.touchedSince(askedAt, key) ? [key] : []));',
        'const touched: string[] = [];\n  gate.touchedSince(askedAt, "");',
      ),
    ],
  },
  {
    name: 'repeated events are taken for new',
    promise: 'P3',
    edits: [
      inFile('connectors/salesforce/stream/recent-events.ts')(
        'keys[place] === key) return false;',
        'keys[place] === key) return true;',
      ),
    ],
  },
  {
    name: 'an update of a row that is not there is done',
    promise: 'P1',
    edits: [liveSync('if (absent.length > 0)', 'if (absent.length < 0)')],
  },
  {
    name: 'an update of a deleted record in one batch makes no difference',
    promise: 'P4',
    test: {
      file: 'core/src/pipeline/live/fold-events.test.ts',
      name: 'P1: a record that has to be read is still read after a delete, and one that lives on after it is',
    },
    edits: [
      folding(
        "if (meaning.kind === 'read' || before?.kind === 'delete')",
        "if (before?.kind === 'delete') continue;\n    if (meaning.kind === 'read')",
      ),
    ],
  },
  {
    name: 'a field that was changed and not told is left as it is',
    promise: 'P1',
    edits: [partial('for (const name of untold) if (uses.has(name)) return READ;', '')],
  },
  {
    name: 'a changed filter field moves no record in or out',
    promise: 'P4',
    edits: [partial('new Set([...(filterFields ?? []), ...dependentsOf(source, needed)])', 'dependentsOf(source, needed)')],
  },
  {
    name: 'the stream goes on behind what it has read and nobody got',
    promise: 'P1',
    edits: [messages('({ after, last } = reached);', 'void reached;')],
  },
  {
    name: 'a connection lost in silence is waited for',
    promise: 'P5',
    edits: [
      stream(
        'const watchdog = startWatchdog(clock, silenceMsMax, close);',
        'const watchdog = startWatchdog(clock, 1e12, close);',
      ),
    ],
  },
  {
    name: 'credit that was on its way is not asked for again on a new connection',
    promise: 'P5',
    edits: [stream('      credit.recall();', '')],
  },
  {
    name: 'an expired session is used again',
    promise: 'P5',
    edits: [stream('      await parts.renew();', '')],
  },
  {
    name: 'a former owner may commit',
    promise: 'P11',
    edits: [
      handlers(
        '      streamed(begins, () => {\n        checkEpoch(database, unit, epoch);',
        '      streamed(begins, () => {\n        void [checkEpoch, epoch];',
      ),
    ],
  },
  {
    // What it holds is as old as its freeze was long, and stamps tell.
    name: 'a poll of a former owner may commit',
    promise: 'P11',
    test: {
      file: 'connectors/sqlite/connector.test.ts',
      name: 'a former owner can change nothing: neither rows nor checkpoint (P11)',
    },
    edits: [
      handlers(
        '          checkEpoch(database, unit, epoch);\n          writingFor(database, [unit]);',
        '          void [unit, epoch];\n          writingFor(database, [unit]);',
      ),
    ],
  },
  {
    name: 'nobody looks whether another process has run a sync beside its stream',
    promise: 'P3',
    test: {
      file: 'core/src/control/other-runs.test.ts',
      name: 'P3: a run of a process beside it (delta) that brings what is older than the stream has told is followed by another read',
    },
    edits: [inFile('core/src/pipeline/live/other-runs.ts')('return !isOurs && isOver;', 'return false;')],
  },
  {
    name: 'what was in hand while another process followed the stream counts as read',
    promise: 'P3',
    test: {
      file: 'core/src/control/other-runs.test.ts',
      name: 'P3: what was in hand while another process followed the stream is asked for again',
    },
    edits: [inFile('core/src/pipeline/live/write-gate.ts')('    this.#forgotten = ++this.#sequence;\n', '')],
  },
  {
    // The simulated org stamps what it takes out of the bin; whether the real one always does is not documented.
    name: 'an undelete is written from its event',
    promise: 'P4',
    test: {
      file: 'core/src/pipeline/live/fold-events.test.ts',
      name: 'P4: an undelete is read, because the stamp that it tells may be older than the delete',
    },
    edits: [folding("    case 'create':", "    case 'undelete':\n    case 'create':")],
  },
  {
    name: 'deltas go on from what they have seen, whatever may be committed late',
    promise: 'P1',
    edits: [
      inFile('connectors/salesforce/delta.ts')(
        'const fromMs = settled === null || lagging ? fresh - overlapMs : settled - slackMs;',
        'const fromMs = lagging && overlapMs < 0 ? fresh - overlapMs : fresh;',
      ),
    ],
  },
];
