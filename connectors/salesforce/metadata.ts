/** What is told of an org's side without asking it, for whoever writes its metadata. */
export type { AnyTo, Config, From, LookupSettings, SideSettings } from './config.ts';
export { channelOf } from './stream/selection.ts';
export { selectionFiles } from './stream/selection-files.ts';
export { eventOfTopic } from './topic/topic-name.ts';
export { parseFilter, parseUserQuery } from './user-query.ts';
