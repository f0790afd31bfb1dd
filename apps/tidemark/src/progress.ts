import type { Clock, Progress } from '@tidemark/core';
import { SingleBar } from 'cli-progress';
import { roughly } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressDisplay {
  update(progress: Progress): void;
  /** A line that must not be drawn over. */
  print(line: string): void;
  end(): void;
}

const phases: Readonly<Record<Progress['phase'], string>> = {
  reading: 'reading',
  merging: 'merging',
  sweeping: 'looking for deletes',
  delta: 'reading changes',
  verifying: 'comparing',
};

/** A bar where somebody looks, a line now and then elsewhere, nothing for `quiet`. */
export function showProgress(sync: string, terminal: Terminal, clock: Clock, quiet = false): ProgressDisplay {
  if (quiet) return { update() {}, print: (line) => terminal.err(line), end() {} };
  return terminal.live ? bar(sync, terminal, clock) : lines(sync, terminal, clock);
}

/** Rows a second since the first came, and the time left at that rate. */
class Pace {
  readonly #clock: Clock;
  #phase: string | null = null;
  #flowing = false;
  #sinceMs = 0;
  #before = 0;
  constructor(clock: Clock) {
    this.#clock = clock;
  }
  measure({ phase, rows, estimate }: Progress): { rate: number; leftMs: number | null } {
    const now = this.#clock.now();
    const begins = phase !== this.#phase;
    // A source may prepare its answer for minutes, and an earlier run may have kept rows: neither is our pace.
    if (begins || (!this.#flowing && rows !== this.#before)) {
      this.#flowing = !begins;
      this.#phase = phase;
      this.#sinceMs = now;
      this.#before = rows;
    }
    const seconds = (now - this.#sinceMs) / 1000;
    const rate = this.#flowing && seconds > 0 ? (rows - this.#before) / seconds : 0;
    const leftMs = estimate === null || rate === 0 ? null : Math.max(0, ((estimate - rows) / rate) * 1000);
    return { rate, leftMs };
  }
}

function words({ phase, rows, estimate }: Progress, rate: number, leftMs: number | null): string {
  const of = estimate === null ? '' : ` of about ${number(Math.max(estimate, rows))}`;
  const pace = rate > 0 ? `, ${number(Math.round(rate))} rows/s` : '';
  const left = leftMs === null ? '' : `, ${roughly(Math.max(1000, Math.ceil(leftMs / 1000) * 1000))} left`;
  const unit = rows === 1 && estimate === null ? 'row' : 'rows';
  return `${phases[phase]}: ${number(rows)}${of} ${unit}${pace}${left}`;
}

function bar(sync: string, terminal: Terminal, clock: Clock): ProgressDisplay {
  const pace = new Pace(clock);
  let drawn: SingleBar | null = null;
  return {
    update(progress) {
      const { rate, leftMs } = pace.measure(progress);
      const text = words(progress, rate, leftMs);
      if (drawn === null) {
        drawn = new SingleBar({
          stream: process.stderr,
          format: (_options, { progress: share }, { known, text: shown }: { known: boolean; text: string }) => {
            const full = Math.round(Math.min(share, 1) * 24);
            const picture = known ? `${'█'.repeat(full)}${'░'.repeat(24 - full)} ` : '';
            return `${sync}  ${picture}${shown}`;
          },
          hideCursor: true,
          clearOnComplete: true,
          stopOnComplete: false,
          gracefulExit: false,
          fps: 8,
        });
        drawn.start(Math.max(progress.estimate ?? 1, 1), 0, { known: progress.estimate !== null, text });
      }
      drawn.setTotal(Math.max(progress.estimate ?? 1, progress.rows, 1));
      drawn.update(progress.rows, { known: progress.estimate !== null, text });
    },
    // Over the bar, which is drawn again below; its end goes back to the place that was saved last.
    print: (line) => terminal.err(drawn === null ? line : `\r\u001b[K${line}\u001b7`),
    end() {
      drawn?.stop();
      drawn = null;
    },
  };
}

const LINE_EVERY_MS = 5000;

function lines(sync: string, terminal: Terminal, clock: Clock): ProgressDisplay {
  const pace = new Pace(clock);
  let nextMs = 0;
  let phase: string | null = null;
  return {
    update(progress) {
      const { rate, leftMs } = pace.measure(progress);
      if (clock.now() < nextMs && progress.phase === phase) return;
      phase = progress.phase;
      nextMs = clock.now() + LINE_EVERY_MS;
      terminal.err(`${sync}: ${words(progress, rate, leftMs)}\n`);
    },
    print: (line) => terminal.err(line),
    end() {},
  };
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
