import { runProgram } from '../../testkit/src/services/bring.ts';
import { kafkaBroker } from '../../testkit/src/services/kafka.ts';

/** Kafka's own `kafka-producer-perf-test`: messages a second that its producer gets into a topic, each acknowledged by all replicas. */
export async function producerPerformance(
  broker: string,
  topic: string,
  { messages, bytes }: { messages: number; bytes: number },
): Promise<number> {
  const { java, classPath } = await kafkaBroker();
  const properties = [`bootstrap.servers=${broker}`, 'acks=all', 'enable.idempotence=true'];
  const said = await runProgram(java, [
    ...['-Xmx256m', '-cp', classPath, 'org.apache.kafka.tools.ProducerPerformance'],
    ...['--topic', topic, '--num-records', String(messages), '--record-size', String(bytes), '--throughput', '-1'],
    ...['--producer-props', ...properties],
  ]);
  // The last line is about all of them.
  const rates = [...said.matchAll(/ ([\d.]+) records\/sec/g)];
  const rate = Number(rates.at(-1)?.[1]);
  if (!(rate > 0)) throw new Error(`kafka-producer-perf-test told no rate: ${said.slice(-500)}`);
  return rate;
}
