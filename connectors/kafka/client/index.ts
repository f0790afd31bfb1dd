/** What lies on Kafka besides topics of records: queues. */
export { batchBytesOf, batchesOf, messageBytesMax, sizeOf } from './batches.ts';
export { BATCH_BYTES, type Bounds, type KafkaAccess, KafkaClient, type TopicFacts } from './client.ts';
export { faultOf, guarded, refusalOf } from './errors.ts';
export { fetchCommitted, type KafkaMessage } from './fetch.ts';
export { StateTopic } from './state-topic.ts';
export { type Outgoing, type Transaction, Units } from './units.ts';
