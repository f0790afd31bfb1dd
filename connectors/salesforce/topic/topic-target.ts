import {
  type Change,
  type Commit,
  type SchemaChange,
  SchemaChangedError,
  type Target,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import type { Client } from '../client.ts';
import type { TopicTo } from '../config.ts';
import type { Describes } from '../describe.ts';
import { toWrite } from '../write/write-values.ts';
import { describeEvent } from './describe-event.ts';
import { eventsInCallMax, type OutgoingEvent, publishEvents } from './publish-events.ts';
import { type PublishColumn, planPublishing } from './publish-plan.ts';
import { eventOfTopic } from './topic-name.ts';

/** A platform event as a target: each record that comes is published once it has changed. There is nothing to delete, and nothing to compare with. */
export async function openTopicTarget(
  { client, describes }: { readonly client: Client; readonly describes: Describes },
  { to, schema, unit }: TargetSpec<TopicTo>,
  signal: AbortSignal,
): Promise<Target> {
  const describe = await describeEvent(describes, to.topic, signal);
  const columns = schema.fields.length === 0 ? [] : planPublishing(describe, schema, `syncs.${unit}`);
  return new TopicTarget(client, describes, eventOfTopic(to.topic), columns);
}

class TopicTarget implements Target {
  /** One call: what the engine has not noted as published when it crashes is not more than this. */
  readonly batchSizeMax = eventsInCallMax;
  readonly compares = false;
  readonly #client: Client;
  readonly #describes: Describes;
  readonly #event: string;
  readonly #columns: readonly PublishColumn[];

  constructor(client: Client, describes: Describes, event: string, columns: readonly PublishColumn[]) {
    this.#client = client;
    this.#describes = describes;
    this.#event = event;
    this.#columns = columns;
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async write(changes: readonly Change[], _commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    const results = new Map<Change, WriteResult>();
    const outgoing = new Map<Change, OutgoingEvent>();
    for (const change of changes) {
      if (change.op === 'delete') results.set(change, { status: 'unchanged' });
      else {
        const event = this.#eventOf(change);
        if ('status' in event) results.set(change, event);
        else outgoing.set(change, event);
      }
    }
    const parts = { client: this.#client, event: this.#event, columns: this.#columns };
    try {
      const published = await publishEvents(parts, [...outgoing.values()], signal);
      for (const [i, change] of [...outgoing.keys()].entries()) results.set(change, published[i]!);
    } catch (error) {
      if (error instanceof SchemaChangedError) this.#describes.forget(this.#event);
      throw error;
    }
    return changes.map((change) => results.get(change)!);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** What is absent stays absent, and gets the field's default; null is said. */
  #eventOf({ row }: Change): OutgoingEvent | WriteResult {
    const body: Record<string, unknown> = {};
    for (const column of this.#columns) {
      const value = row![column.name];
      if (value === undefined) continue;
      const written = toWrite(value, column);
      if (!written.ok) return { status: 'rejected', reason: { code: 'VALUE_REFUSED', message: written.message } };
      body[column.field.name] = written.value;
    }
    return { body, bytes: Buffer.byteLength(JSON.stringify(body)) };
  }
}
