import {
  type Change,
  type Commit,
  type DatasetSchema,
  noCalls,
  refusedPreview,
  type SchemaChange,
  SchemaChangedError,
  sendPreview,
  type Target,
  type TargetPreview,
  type TargetSpec,
  unchangedPreview,
  type WriteResult,
} from '@tidemark/core';
import type { Client } from '../client.ts';
import type { TopicTo } from '../config.ts';
import type { Describes } from '../describe.ts';
import { toWrite } from '../write/write-values.ts';
import { describeEvent } from './describe-event.ts';
import { callsToPublish, eventsInCallMax, type OutgoingEvent, publishEvents } from './publish-events.ts';
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
  return new TopicTarget({ client, describes, event: eventOfTopic(to.topic), columns, schema });
}

interface Opened {
  readonly client: Client;
  readonly describes: Describes;
  readonly event: string;
  readonly columns: readonly PublishColumn[];
  readonly schema: DatasetSchema;
}

class TopicTarget implements Target {
  /** One call: what the engine has not noted as published when it crashes is not more than this. */
  readonly batchSizeMax = eventsInCallMax;
  readonly compares = false;
  readonly #opened: Opened;

  constructor(opened: Opened) {
    this.#opened = opened;
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async write(changes: readonly Change[], _commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    const { results, outgoing } = this.#sorted(changes);
    try {
      const published = await publishEvents(this.#opened, [...outgoing.values()], signal);
      for (const [i, change] of [...outgoing.keys()].entries()) results.set(change, published[i]!);
    } catch (error) {
      if (error instanceof SchemaChangedError) this.#opened.describes.forget(this.#opened.event);
      throw error;
    }
    return changes.map((change) => results.get(change)!);
  }

  openPreview(): TargetPreview {
    const calls = noCalls();
    return {
      calls,
      write: async (changes) => {
        const { results, outgoing } = this.#sorted(changes);
        calls.collections += callsToPublish([...outgoing.values()]);
        return changes.map((change) => {
          const result = results.get(change);
          if (result === undefined) return { ...sendPreview(change.row!, this.#opened.schema), effect: 'create' };
          return result.status === 'rejected' ? refusedPreview(result.reason) : unchangedPreview;
        });
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The events to publish; what is none has its result already. */
  #sorted(changes: readonly Change[]): {
    readonly results: Map<Change, WriteResult>;
    readonly outgoing: ReadonlyMap<Change, OutgoingEvent>;
  } {
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
    return { results, outgoing };
  }

  /** What is absent stays absent, and gets the field's default; null is said. */
  #eventOf({ row }: Change): OutgoingEvent | WriteResult {
    const body: Record<string, unknown> = {};
    for (const column of this.#opened.columns) {
      const value = row![column.name];
      if (value === undefined) continue;
      const written = toWrite(value, column);
      if (!written.ok) return { status: 'rejected', reason: { code: 'VALUE_REFUSED', message: written.message } };
      body[column.field.name] = written.value;
    }
    return { body, bytes: Buffer.byteLength(JSON.stringify(body)) };
  }
}
