import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { useEndInSight } from './use-end-in-sight.ts';

interface VirtualListProps<Item> {
  readonly label: string;
  readonly items: readonly Item[];
  /** There are more of them. */
  readonly isPart: boolean;
  readonly keyOf: (item: Item) => string;
  readonly render: (item: Item) => ReactNode;
  /** The last of them is in sight: more may be asked for. */
  readonly onEnd: () => void;
}

const ITEM_PX = 260;
const GAP_PX = 16;

/** A list of blocks of which only those in sight are drawn. */
export function VirtualList<Item>({ label, items, isPart, keyOf, render, onEnd }: VirtualListProps<Item>) {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY), []);
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ITEM_PX,
    gap: GAP_PX,
    overscan: 3,
    scrollMargin: top,
    getItemKey: (index) => keyOf(items[index]!),
  });
  useEndInSight(virtual, items.length, onEnd);
  return (
    <ul
      ref={list}
      aria-label={label}
      style={{ height: virtual.getTotalSize(), position: 'relative', listStyle: 'none', margin: 0, padding: 0 }}
    >
      {virtual.getVirtualItems().map(({ key, index, start }) => (
        <li
          key={key}
          data-index={index}
          ref={virtual.measureElement}
          aria-setsize={isPart ? -1 : items.length}
          aria-posinset={index + 1}
          style={{ position: 'absolute', insetInline: 0, transform: `translateY(${start - top}px)` }}
        >
          {render(items[index]!)}
        </li>
      ))}
    </ul>
  );
}
