import * as grpc from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { fixtureTopic } from './bus-fixture.ts';
import { processCertificate } from './certificate.ts';
import { connectClient } from './client-fixture.ts';
import { startPubSubFixture } from './pubsub-fixture.ts';

// A client that is given the certificate trusts the server, one that is not does not.

test('the certificate that is given out is the one that the TLS port shows', async () => {
  const fixture = await startPubSubFixture();
  try {
    const root = Buffer.from(await fixture.pubsub.certificate());
    for (const host of ['127.0.0.1', 'localhost']) {
      const endpoint = fixture.pubsub.tlsEndpoint.replace('127.0.0.1', host);
      const trusting = connectClient(endpoint, fixture.metadata, grpc.credentials.createSsl(root));
      expect(await trusting.unary('GetTopic', { topicName: fixtureTopic })).toMatchObject({ topicName: fixtureTopic });
      trusting.close();
    }
    const doubting = connectClient(fixture.pubsub.tlsEndpoint, fixture.metadata, grpc.credentials.createSsl());
    await expect(doubting.unary('GetTopic', { topicName: fixtureTopic })).rejects.toMatchObject({ code: 14 });
    doubting.close();
  } finally {
    await fixture.close();
  }
});

test("a certificate of one's own", async () => {
  const tls = await processCertificate();
  const fixture = await startPubSubFixture({ tls: { ...tls, certificate: `${tls.certificate}\n` } });
  expect(await fixture.pubsub.certificate()).toBe(`${tls.certificate}\n`);
  await fixture.close();
});
