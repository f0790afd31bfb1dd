import type { OrgClock } from '../../org/types.ts';
import type { BackdoorRoute } from './backdoor.ts';
import { readNumber, refuseUnknown } from './read.ts';

const state = (clock: OrgClock) => ({
  now: new Date(clock.now()).toISOString(),
  nowMs: clock.now(),
  skewMs: clock.skewMs,
});

export const clockRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/clock', answer: (_request, { org }) => state(org.clock) },
  {
    method: 'POST',
    path: '/clock',
    answer({ body }, { org: { clock } }) {
      refuseUnknown(body, ['advanceMs', 'freezeAtMs', 'skewMs']);
      if (body.freezeAtMs !== undefined) clock.freeze(body.freezeAtMs === null ? null : readNumber(body, 'freezeAtMs'));
      if (body.advanceMs !== undefined) clock.advance(readNumber(body, 'advanceMs'));
      if (body.skewMs !== undefined) clock.skewMs = readNumber(body, 'skewMs');
      return state(clock);
    },
  },
];
