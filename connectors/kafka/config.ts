import { fieldTypes } from '@tidemark/core';
import { z } from 'zod';

/** @see Apache Kafka, `Topic.java`: what a name may be */
const topic = z
  .string()
  .regex(/^[\w.-]{1,249}$/, 'takes letters, digits and . _ -, at most 249 of them')
  .refine((name) => name !== '.' && name !== '..', 'is not the name of a topic');
const ownTopic = topic.refine(
  (name) => !name.startsWith('_'),
  'begins with _, which is for topics of Kafka and Tidemark themselves',
);

const broker = z.string().regex(/^(\[[\da-fA-F:]+\]|[\w.-]+):\d{1,5}$/, 'is written host:port');

const names = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).transform((given) => [given].flat());

export const kafkaConfig = z.strictObject({
  brokers: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform((given) => (typeof given === 'string' ? given.split(',') : given).map((each) => each.trim()))
    .pipe(z.array(broker))
    .describe('Where to begin: host:9092, or several, as a list or with commas. The others are told by those'),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How the brokers want it'),
      username: z.string().min(1),
      password: z.string().min(1).meta({ secret: true }),
    })
    .optional()
    .describe('Login; with plain the password goes to the broker as it is, so use tls: too'),
  tls: z
    .union([
      z.boolean(),
      z.strictObject({
        ca: z.string().min(1).optional().describe('A file with the certificates that are trusted, in PEM'),
        cert: z.string().min(1).optional().describe('A file with our own certificate, where the brokers ask for one'),
        key: z.string().min(1).optional().describe('A file with its key'),
      }),
    ])
    .default(false)
    .describe('Whether the brokers speak TLS, and whom to trust; relative paths start at the configuration file'),
  state: topic
    .default('_tidemark_state')
    .describe(
      'A compacted topic for checkpoints and owners; made when it is not there. Also how transactional ids begin. Installations that share a cluster need one each',
    ),
});
export type KafkaConfig = z.output<typeof kafkaConfig>;

export const kafkaFrom = z.strictObject({
  topic: topic.describe('The topic to read'),
  key: names
    .default(['key'])
    .describe("Fields that identify a record; those that the value does not hold are taken from the message's key"),
  fields: z
    .record(z.string(), z.enum(fieldTypes))
    .optional()
    .describe('Fields of the messages and their types. Absent: what the newest messages hold, or their schema says'),
  group: z
    .string()
    .min(1)
    .max(249)
    .optional()
    .describe(
      "A consumer group to which the position is told as well, for Kafka's own tools to show the lag. It must be used by nothing else",
    ),
});
export type KafkaFrom = z.output<typeof kafkaFrom>;

export const kafkaTo = z.strictObject({
  topic: ownTopic.describe('The topic to write to'),
  format: z
    .enum(['json', 'json-schema'])
    .default('json')
    .describe('json: the fields. json-schema: beside them their types, as Kafka Connect reads them ({schema, payload})'),
  create: z.boolean().default(true).describe('Whether the topic is made when it is not there'),
  partitions: z
    .int()
    .min(1)
    .max(10_000)
    .default(6)
    .describe('Partitions of a topic that is made; a record is always in the same one'),
  replicas: z
    .int()
    .min(1)
    .max(32_767)
    .optional()
    .describe("Copies of a topic that is made; the brokers' own default unless told otherwise"),
});
export type KafkaTo = z.output<typeof kafkaTo>;
