import type { Virtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect } from 'react';

/** Tells when the last of what is there is drawn, so that more may be asked for. */
export function useEndInSight(virtual: Virtualizer<Window, Element>, count: number, onEnd: (() => void) | undefined): void {
  const last = virtual.getVirtualItems().at(-1)?.index ?? -1;
  useLayoutEffect(() => {
    if (last >= count - 1) onEnd?.();
  }, [last, count, onEnd]);
}
