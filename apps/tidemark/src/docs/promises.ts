import type { SyncOutline } from '@tidemark/core';

/** What holds for a sync as it is configured, in words for people who do not have the tool. */
export function promisesOf({ direction, settings }: SyncOutline): readonly string[] {
  const isTwoWay = direction === 'two-way';
  return [
    'No gaps: a crash may repeat a change, and never skips one.',
    settings.onFailure === 'hold'
      ? 'A record that is refused holds its window open: nothing after it counts as done until it passes.'
      : 'A record that is refused stops nothing and is never forgotten: it is kept with its reason and tried again.',
    'Old never overwrites new.',
    ...deletesOf(settings.deletes, isTwoWay),
    ...(settings.live === undefined
      ? []
      : ['What a stream could not tell is read again without a hand on it; a transaction becomes visible whole.']),
    ...(settings.journal === undefined
      ? []
      : [`Events are kept as they came for ${settings.journal}, and can be applied again.`]),
    ...(isTwoWay
      ? ['Both sides come to hold the same and writing then stops; every overwrite of a concurrent edit is on record.']
      : []),
  ];
}

function deletesOf(rule: string | undefined, isTwoWay: boolean): readonly string[] {
  if (rule === 'mirror') return ['Deletes travel: what is deleted at the source is deleted here. Absence alone deletes nothing.'];
  if (rule === 'mark') return ['What is deleted at the source is marked here, and stays.'];
  if (rule === 'propagate')
    return ['A record deleted on one side is deleted on the other, unless it was changed there meanwhile.'];
  return [isTwoWay ? 'A record deleted on one side stays on the other.' : 'What is deleted at the source stays here.'];
}
