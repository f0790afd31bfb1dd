import type { KafkaAccess } from '@tidemark/connector-kafka/client';
import { RequestRefusedError } from '@tidemark/core';

const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const;
const URL_OF_KAFKA = /^kafka(s?):\/\/(?:([^:@/]+):([^@/]+)@)?([^/?@]+)\/?(?:\?sasl=([\w-]+))?$/;

/**
 * How the brokers of an url are reached: `kafka://user:password@one:9092,two:9092?sasl=scram-sha-512`, `kafkas://` with TLS.
 * @throws {RequestRefusedError} it is none; nothing of it is repeated, since it may hold a password
 */
export function kafkaAccess(url: string, connection: string): KafkaAccess {
  const [, secure, username, password, hosts = '', named = 'plain'] = URL_OF_KAFKA.exec(url) ?? [];
  const brokers = hosts.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:9092`));
  const mechanism = MECHANISMS[named as keyof typeof MECHANISMS];
  const login = username === undefined || password === undefined ? null : decoded(username, password);
  if (hosts === '' || mechanism === undefined || (username !== undefined && login === null)) {
    throw new RequestRefusedError(`connections.${connection}.url is no address of Kafka`, {
      hint: 'kafka://user:password@host:9092,another:9092?sasl=scram-sha-512 (or plain, scram-sha-256), with characters like @ : / in the password percent-encoded',
    });
  }
  return { brokers, tls: secure === 's' ? {} : null, sasl: login === null ? null : { mechanism, ...login } };
}

function decoded(username: string, password: string): { username: string; password: string } | null {
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    return null;
  }
}
