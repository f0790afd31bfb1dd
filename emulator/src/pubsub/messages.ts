/** The messages of `pubsub_api.proto`, as the loader shows them: absent texts are empty, absent numbers 0. */

export interface TopicRequest {
  topicName: string;
}
export interface SchemaRequest {
  schemaId: string;
}
export interface ProducerEvent {
  id: string;
  schemaId: string;
  payload: Uint8Array;
}
export interface PublishRequest {
  topicName: string;
  events: ProducerEvent[];
  authRefresh: string;
}
export interface PublishResult {
  replayId?: Uint8Array;
  error?: { code: 'PUBLISH'; msg: string };
  correlationKey: string;
}
export interface PublishResponse {
  results: PublishResult[];
  schemaId: string;
  rpcId: string;
}

export type ReplayPreset = 'LATEST' | 'EARLIEST' | 'CUSTOM';

export interface FetchRequest {
  topicName: string;
  replayPreset: ReplayPreset;
  replayId: Uint8Array;
  numRequested: number;
  authRefresh: string;
}
export interface ConsumerEvent {
  event: ProducerEvent;
  replayId: Uint8Array;
}
export interface FetchResponse {
  events: ConsumerEvent[];
  latestReplayId: Uint8Array;
  rpcId: string;
  pendingNumRequested: number;
}

export interface CommitReplayRequest {
  commitRequestId: string;
  replayId: Uint8Array;
}
export interface ManagedFetchRequest {
  subscriptionId: string;
  developerName: string;
  numRequested: number;
  authRefresh: string;
  commitReplayIdRequest: CommitReplayRequest | null;
}
export interface CommitReplayResponse {
  commitRequestId: string;
  replayId: Uint8Array;
  error?: { code: 'COMMIT'; msg: string };
  /** Epoch ms. */
  processTime: number;
}
export interface ManagedFetchResponse extends FetchResponse {
  commitResponse?: CommitReplayResponse;
}
