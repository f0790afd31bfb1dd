import type { EmulatorContext } from '../context.ts';
import { channels } from './channels.ts';
import type { ComponentKind } from './component.ts';
import { members } from './members.ts';
import { subscriptions } from './subscriptions.ts';

const kinds: readonly ComponentKind[] = [channels, members, subscriptions];

/** What can be written through the Tooling API here; names without regard to case. */
export const kindOf = (object: string): ComponentKind | undefined =>
  kinds.find((kind) => kind.object.toLowerCase() === object.toLowerCase());

export const maySeeSetup = (userId: string, { access }: EmulatorContext): boolean =>
  access.may(userId, 'viewSetup') || access.may(userId, 'customizeApplication');
