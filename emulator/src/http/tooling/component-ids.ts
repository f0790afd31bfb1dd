import type { EmulatorContext } from '../context.ts';

/** Channels and their members have no ids of their own on the event bus: these are theirs. */

const channelPrefix = '0YL';
const memberPrefix = '0v8';
const memberKey = (channel: string, eventName: string) => `${channel} ${eventName}`;

export const channelId = (name: string, { toolingIds }: EmulatorContext): string => toolingIds.of(channelPrefix, name);

export const forgetChannel = (name: string, { toolingIds }: EmulatorContext): void => toolingIds.forget(channelPrefix, name);

export const memberId = (channel: string, eventName: string, { toolingIds }: EmulatorContext): string =>
  toolingIds.of(memberPrefix, memberKey(channel, eventName));

export const forgetMember = (channel: string, eventName: string, { toolingIds }: EmulatorContext): void =>
  toolingIds.forget(memberPrefix, memberKey(channel, eventName));
