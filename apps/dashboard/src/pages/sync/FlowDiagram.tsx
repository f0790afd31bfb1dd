import type { OutlineShape } from '@tidemark/core/api';
import styles from './FlowDiagram.module.css';

const WIDTH = 190;
const HEIGHT = 64;
const GAP = 40;
const TITLE_MAX = 23;
/** On a small screen it shrinks before it is moved about. */
const SMALLEST = 0.75;

/** A sync as blocks and arrows, in the order in which records pass. */
export function FlowDiagram({ outline: { sync, direction, blocks } }: { outline: OutlineShape }) {
  const width = blocks.length * (WIDTH + GAP) - GAP + 4;
  const titles = blocks.map(({ title }) => title).join(direction === 'two-way' ? ' and ' : ', then ');
  const heads = direction === 'two-way' ? { markerStart: 'url(#head)', markerEnd: 'url(#head)' } : { markerEnd: 'url(#head)' };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the screen is moved by keys as well.
    <section className={styles.scroll} tabIndex={0} aria-label="flow of records">
      <svg
        viewBox={`0 0 ${width} ${HEIGHT + 4}`}
        style={{ width: '100%', maxWidth: width, minWidth: width * SMALLEST }}
        role="img"
        aria-label={`${sync}: ${titles}`}
      >
        <defs>
          <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">
            <path d="M0 0L8 4L0 8z" className={styles.head} />
          </marker>
        </defs>
        {blocks.map(({ kind, title, connection }, index) => {
          const x = 2 + index * (WIDTH + GAP);
          return (
            <g key={x}>
              {index > 0 && <path className={styles.arrow} d={`M${x - GAP + 3} ${HEIGHT / 2 + 2}H${x - 4}`} {...heads} />}
              <rect
                className={connection === null ? styles.step : styles.place}
                x={x}
                y={2}
                width={WIDTH}
                height={HEIGHT}
                rx={8}
              />
              <text className={styles.title} x={x + WIDTH / 2} y={30}>
                {title.length <= TITLE_MAX ? title : `${title.slice(0, TITLE_MAX - 1)}…`}
              </text>
              <text className={styles.kind} x={x + WIDTH / 2} y={50}>
                {connection === null ? kind : `${connection.type} ${kind}`}
              </text>
            </g>
          );
        })}
      </svg>
    </section>
  );
}
