import type { StreamCall, StreamHandler } from './calls.ts';
import type { PubSubContext } from './context.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { PubSubError } from './errors.ts';
import type { ManagedSubscription } from './managed-subscriptions.ts';
import type { CommitReplayRequest, CommitReplayResponse, FetchResponse, ManagedFetchRequest } from './messages.ts';
import { strikeRpc } from './rpc-faults.ts';
import { resolvePosition, subscribableChannel } from './topics.ts';

const restricted = 'managed.subscription.fetch.request';

/**
 * ManagedSubscribe: Subscribe from a position that the server keeps, which moves when the client commits (Pub/Sub API
 * guide, "Managed Event Subscriptions"). A commit that fails is told in its response; the stream goes on.
 */
export function managedSubscribe(call: StreamCall<FetchResponse>, context: PubSubContext): StreamHandler<ManagedFetchRequest> {
  const { managed, timers, waits, bus } = context;
  let begun = false;
  let subscription: ManagedSubscription | undefined;
  let delivery: Delivery | undefined;
  let leave: (() => void) | undefined;
  /** Commits that came close together: only the last one counts, and is answered. */
  let commits: { request: CommitReplayRequest; atMs: number }[] = [];
  const stopWaiting = timers.after(waits.idleCloseMs, () => call.end());

  function begin(request: ManagedFetchRequest): void {
    begun = true;
    stopWaiting();
    if (request.authRefresh !== '') throw new PubSubError(`${restricted}.auth.request.restricted`);
    if (request.commitReplayIdRequest) throw new PubSubError(`${restricted}.commit.request.restricted`);
    if (request.numRequested < 0) throw new PubSubError(`${restricted}.events.invalid`);
    const found = find(request, context);
    const { error, silent } = strikeRpc(context, call, found.topicName);
    if (error) throw error;
    if (found.state === 'STOP') throw new PubSubError('managed.subscription.config.stopped');
    const channel = subscribableChannel(context, found.topicName, call.userId);
    leave = managed.enter(found.id, changed);
    if (!leave) throw new PubSubError('managed.subscription.already.active');
    subscription = found;
    const preset = (replay: 'LATEST' | 'EARLIEST') => channel.resolve(replay === 'EARLIEST' ? 'earliest' : 'latest');
    const { committed } = found;
    const start =
      committed === undefined
        ? preset(found.defaultReplay)
        : (resolvePosition(channel, () => committed) ?? preset(found.errorRecoveryReplay));
    if (silent) return;
    delivery = createDelivery(call, context, channel, start);
    delivery.request(request.numRequested);
  }

  function changed(now: ManagedSubscription | undefined): void {
    if (!now) call.fail(new PubSubError('managed.subscription.config.deleted'));
    else if (now.state === 'STOP') call.fail(new PubSubError('managed.subscription.config.stopped'));
    // The channel is chosen when the stream begins: one that now reads from elsewhere must begin again.
    else if (now.topicName !== subscription?.topicName) call.fail(new PubSubError('subscription.internal.error'));
  }

  function commitSoon(request: CommitReplayRequest): void {
    commits.push({ request, atMs: context.org.clock.now() });
    if (commits.length > 1) return;
    setImmediate(() => {
      const last = commits.at(-1);
      commits = [];
      if (last && delivery && subscription) delivery.sendBare({ commitResponse: commit(last.request, last.atMs) } as object);
    });
  }

  function commit({ commitRequestId, replayId }: CommitReplayRequest, atMs: number): CommitReplayResponse {
    const answer = { commitRequestId, replayId, processTime: atMs };
    const refused = (msg: string) => ({ ...answer, error: { code: 'COMMIT' as const, msg } });
    if (replayId.length === 0) return refused('The commit request has no Replay ID.');
    const now = managed.byId(subscription?.id ?? '');
    const channel = now && bus.channel(now.topicName);
    const position = channel && resolvePosition(channel, () => bus.replayIdOf(replayId));
    if (!now || position === undefined) return refused('The Replay ID validation failed. Ensure that the Replay ID is valid.');
    if (position > (delivery?.told() ?? 0)) return refused('The event with this Replay ID was not delivered yet.');
    if (now.committed !== undefined && position < now.committed) {
      return refused('The Replay ID is older than the one that was committed last.');
    }
    managed.commit(now.id, position);
    return answer;
  }

  return {
    request(request) {
      if (!begun) {
        begin(request);
        return;
      }
      if (request.numRequested < 0) throw new PubSubError(`${restricted}.events.invalid`);
      if (request.numRequested === 0 && !request.commitReplayIdRequest) throw new PubSubError(`${restricted}.invalid`);
      if (request.commitReplayIdRequest) commitSoon(request.commitReplayIdRequest);
      if (request.numRequested > 0) delivery?.request(request.numRequested);
      else delivery?.touch();
    },
    drained: () => delivery?.drained(),
    halfClosed: () => call.end(),
    closed() {
      stopWaiting();
      delivery?.close();
      leave?.();
    },
  };
}

function find(request: ManagedFetchRequest, { managed }: PubSubContext): ManagedSubscription {
  const { subscriptionId: id, developerName: name } = request;
  if ((id === '') === (name === '')) throw new PubSubError('managed.subscription.id.or.developer.name.empty');
  if (name !== '') {
    const named = managed.byName(name);
    if (!named) throw new PubSubError('managed.subscription.developer.name.not.found');
    return named;
  }
  if (id.length !== 15 && id.length !== 18) throw new PubSubError('managed.subscription.subscription.id.invalid');
  const found = managed.byId(id);
  if (!found) throw new PubSubError('managed.subscription.subscription.id.not.found');
  return found;
}
