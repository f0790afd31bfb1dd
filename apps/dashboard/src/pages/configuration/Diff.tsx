import type { DiffLine } from '@tidemark/core/api';
import styles from './Diff.module.css';

const AROUND = 3;
const SIGNS = { same: ' ', added: '+', removed: '-' } as const;
const WORDS = { same: '', added: 'added: ', removed: 'removed: ' } as const;

/** Lines that come and go, with a few around them. */
export function Diff({ lines }: { lines: readonly DiffLine[] }) {
  const near = (index: number) =>
    lines.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(({ kind }) => kind !== 'same');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the screen is moved by keys as well.
    <section className={styles.diff} tabIndex={0} aria-label="lines that change">
      <pre className={styles.lines}>
        {lines.map(({ kind, text }, index) =>
          near(index) ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line has no other name than its place.
            <span key={index} className={styles[kind]}>
              <span className="visually-hidden">{WORDS[kind]}</span>
              {`${SIGNS[kind]} ${text}`}
            </span>
          ) : null,
        )}
      </pre>
    </section>
  );
}
