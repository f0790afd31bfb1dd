// biome-ignore-all lint/a11y/useSemanticElements: rows that are placed one by one are no table rows to a browser, so that roles say what they are.
// biome-ignore-all lint/a11y/useFocusableInteractive: nothing is done with a row itself; what can be is in its cells.
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { useEndInSight } from './use-end-in-sight.ts';
import styles from './VirtualTable.module.css';

export interface Column<Row> {
  readonly title: string;
  /** Of a CSS grid: `2fr`, `120px`. */
  readonly width: string;
  readonly align?: 'end';
  readonly cell: (row: Row) => ReactNode;
}

interface VirtualTableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  /** How many there are in all, where these may be only some; null where nobody knows. */
  readonly total?: number | null;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  /** The last rows are in sight: more may be asked for. */
  readonly onEnd?: () => void;
}

const ROW_PX = 48;
const AHEAD = 8;

/** A table of which only what is in sight is drawn, however long it is. On a phone each row is a block of its own. */
export function VirtualTable<Row>({ label, rows, total = rows.length, columns, keyOf, onEnd }: VirtualTableProps<Row>) {
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY), []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: AHEAD,
    scrollMargin: top,
    getItemKey: (index) => keyOf(rows[index]!),
  });
  const shown = virtual.getVirtualItems();
  useEndInSight(virtual, rows.length, onEnd);
  const grid = { '--columns': columns.map(({ width }) => width).join(' ') } as CSSProperties;
  return (
    <div role="table" aria-label={label} aria-rowcount={total === null ? -1 : total + 1} className={styles.table}>
      <div role="rowgroup" className={styles.head}>
        <div role="row" aria-rowindex={1} className={styles.line} style={grid}>
          {columns.map(({ title, align }) => (
            <div role="columnheader" key={title} data-align={align}>
              {title}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={body} className={styles.body} style={{ height: virtual.getTotalSize() }}>
        {shown.map(({ key, index, start }) => (
          <div
            role="row"
            key={key}
            aria-rowindex={index + 2}
            data-index={index}
            ref={virtual.measureElement}
            className={`${styles.line} ${styles.row}`}
            style={{ ...grid, transform: `translateY(${start - top}px)` }}
          >
            {columns.map(({ title, align, cell }) => (
              <div role="cell" key={title} data-title={title} data-align={align} className={styles.cell}>
                {cell(rows[index]!)}
              </div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}
