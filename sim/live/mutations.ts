import type { Mutation } from '../lib/simulation.ts';

const attempt = 'core/src/pipeline/live/live-attempt.ts';
const inbox = 'core/src/pipeline/live/inbox.ts';
const rereads = 'core/src/pipeline/live/rereads.ts';
const runLive = 'core/src/pipeline/live/run-live.ts';
const liveSync = 'core/src/pipeline/live/live-sync.ts';
const folding = 'core/src/pipeline/live/fold-events.ts';
const partial = 'core/src/pipeline/live/partial.ts';
const stream = 'connectors/salesforce/stream/event-stream.ts';
const messages = 'connectors/salesforce/stream/read-message.ts';
const handlers = 'connectors/sqlite/handlers.ts';

/** Every safeguard of a live stream, taken away one at a time. */
export const mutations: readonly Mutation[] = [
  {
    name: 'the position is kept before the data',
    promise: 'P1',
    edits: [
      {
        file: attempt,
        find: '      const prepared = [];',
        replace: `      if (whole) {
        this.#position = position;
        await this.#parts.checkpoints.write(this.#parts.unit, this.#parts.epoch, this.#encoded());
      }
      const prepared = [];`,
      },
    ],
  },
  {
    name: 'the position runs ahead to the end of what was delivered',
    promise: 'P1',
    edits: [
      {
        file: inbox,
        find: 'const position = nothingBehind || events.length === 0 ? this.#position! : events.at(-1)!.position;',
        replace: 'const position = this.#position! ?? nothingBehind;',
      },
    ],
  },
  {
    name: 'a read counts though the stream does not listen yet',
    promise: 'P1',
    edits: [
      { file: rereads, find: '    await this.#listen();\n    let failures = 0;', replace: '    let failures = 0;' },
      { file: rereads, find: 'const closes = this.#listening && !this.#loading.has(sync);', replace: 'const closes = true;' },
    ],
  },
  {
    name: 'the first load counts though events were left out meanwhile',
    promise: 'P1',
    edits: [
      {
        file: rereads,
        find: 'const closes = this.#listening && !this.#loading.has(sync);',
        replace: 'const closes = this.#listening;',
      },
    ],
  },
  {
    name: 'a read closes a hole that came up after it had begun',
    promise: 'P5',
    edits: [
      { file: rereads, find: 'if (this.#holes.get(sync) !== hole) return;', replace: '' },
      { file: rereads, find: 'known !== undefined && !known.begun &&', replace: 'known !== undefined &&' },
    ],
  },
  {
    name: 'a lost position begins anew at the latest, and nothing is read',
    promise: 'P5',
    edits: [
      {
        file: attempt,
        find: "if (known !== sync.opened.config.fingerprint || this.#position === null) parts.rereads.mark(sync.name, 'delta');",
        replace: "if (known !== sync.opened.config.fingerprint) parts.rereads.mark(sync.name, 'delta');",
      },
      {
        file: runLive,
        find: 'return { ...kept, position: null, rereads };',
        replace: 'return { ...kept, position: null, rereads: { ...rereads, ...kept.rereads } };',
      },
      {
        file: runLive,
        find: "kept.rereads[sync] ?? ('delta' as const)]),",
        replace: 'kept.rereads[sync]!] as const).filter(([, kind]) => kind !== undefined),',
      },
    ],
  },
  {
    name: 'a gap event is an update without fields',
    promise: 'P5',
    edits: [
      {
        file: folding,
        find: '  switch (op) {',
        replace: "  switch (op) {\n    case 'gap':\n      return before ?? { kind: 'set', row: newRow(), stampMs: null };",
      },
    ],
  },
  {
    name: 'an overflow event is passed over',
    promise: 'P5',
    edits: [
      {
        file: attempt,
        find: "      this.#tellHole('overflow', event, sync);\n      rereads.mark(sync.name, 'delta');",
        replace: '',
      },
    ],
  },
  {
    name: 'a wildcard is read by what has a newer stamp',
    promise: 'P5',
    edits: [{ file: attempt, find: "rereads.mark(sync.name, 'full');", replace: "rereads.mark(sync.name, 'delta');" }],
  },
  {
    name: 'holes are known in memory only',
    promise: 'P5',
    edits: [{ file: attempt, find: 'rereads: rereads.kept,', replace: 'rereads: {},' }],
  },
  {
    name: 'what a paused sync missed is not read',
    promise: 'P1',
    edits: [
      {
        file: attempt,
        find: "        if (rereads.isPaused(sync.name)) {\n          rereads.mark(sync.name, 'delta');",
        replace: '        if (rereads.isPaused(sync.name)) {',
      },
    ],
  },
  {
    name: 'every delivery is taken for whole transactions',
    promise: 'P6',
    edits: [
      {
        file: inbox,
        find: '    this.#hasLooked = false;\n    if (this.#coming !== null && this.#isCaughtUp) this.#settle();',
        replace: 'if (this.#coming !== null) this.#endTransaction();',
      },
    ],
  },
  {
    name: 'no more events are asked for until whole transactions are written',
    promise: 'P6',
    edits: [{ file: inbox, find: '    grant(EVENTS_MAX);', replace: '    grant(100);' }],
  },
  {
    name: 'polls do not look whether the stream has written since they read',
    promise: 'P3',
    edits: [
      {
        file: 'core/src/pipeline/live/write-gate.ts',
        find: 'return sequence < this.#forgotten ||',
        replace: 'return sequence < 0 && sequence < this.#forgotten ||',
      },
      {
        file: 'core/src/pipeline/delta.ts',
        find: 'const touched = batch.changes.flatMap(({ key }) => (gate.touchedSince(askedAt, key) ? [key] : []));',
        replace: 'const touched: string[] = [];\n  gate.touchedSince(askedAt, "");',
      },
    ],
  },
  {
    name: 'repeated events are taken for new',
    promise: 'P3',
    edits: [
      {
        file: 'connectors/salesforce/stream/recent-events.ts',
        find: 'if (seen?.includes(event)) return false;',
        replace: 'if (seen?.includes(event)) return true;',
      },
    ],
  },
  {
    name: 'an update of a row that is not there is done',
    promise: 'P1',
    edits: [{ file: liveSync, find: 'if (absent.length > 0)', replace: 'if (absent.length < 0)' }],
  },
  {
    name: 'an update of a deleted record in one batch makes no difference',
    promise: 'P4',
    edits: [
      {
        file: folding,
        find: "if (meaning.kind === 'read' || before?.kind === 'delete')",
        replace: "if (before?.kind === 'delete') continue;\n    if (meaning.kind === 'read')",
      },
    ],
  },
  {
    name: 'a field that was changed and not told is left as it is',
    promise: 'P1',
    edits: [{ file: partial, find: 'for (const name of untold) if (uses.has(name)) return READ;', replace: '' }],
  },
  {
    name: 'a changed filter field moves no record in or out',
    promise: 'P4',
    edits: [
      {
        file: partial,
        find: 'new Set([...(filterFields ?? []), ...dependentsOf(source, needed)])',
        replace: 'dependentsOf(source, needed)',
      },
    ],
  },
  {
    name: 'the stream goes on behind what it has read and nobody got',
    promise: 'P1',
    edits: [{ file: messages, find: '({ after, last } = reached);', replace: 'void reached;' }],
  },
  {
    name: 'a connection lost in silence is waited for',
    promise: 'P5',
    edits: [
      {
        file: stream,
        find: 'const watchdog = startWatchdog(clock, silenceMsMax, close);',
        replace: 'const watchdog = startWatchdog(clock, 1e12, close);',
      },
    ],
  },
  {
    name: 'credit that was on its way is not asked for again on a new connection',
    promise: 'P5',
    edits: [{ file: stream, find: '      credit.recall();', replace: '' }],
  },
  {
    name: 'an expired session is used again',
    promise: 'P5',
    edits: [{ file: stream, find: '      await parts.renew();', replace: '' }],
  },
  {
    name: 'a former owner may commit',
    promise: 'P11',
    edits: [
      {
        file: handlers,
        find: '      streamed(begins, () => {\n        checkEpoch(database, unit, epoch);',
        replace: '      streamed(begins, () => {\n        void [checkEpoch, epoch];',
      },
    ],
  },
  {
    name: 'an undelete is written from its event',
    promise: 'P4',
    edits: [{ file: folding, find: "    case 'create':", replace: "    case 'undelete':\n    case 'create':" }],
  },
  {
    name: 'deltas go on from what they have seen, whatever may be committed late',
    promise: 'P1',
    edits: [
      {
        file: 'connectors/salesforce/delta.ts',
        find: 'const fromMs = settled === null || lagging ? fresh - overlapMs : settled - slackMs;',
        replace: 'const fromMs = lagging && overlapMs < 0 ? fresh - overlapMs : fresh;',
      },
    ],
  },
];
