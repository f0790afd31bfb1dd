import { type Clock, type ConnectorContext, retrying, SyncError } from '@tidemark/core';
import type { Describe, Describes } from '../describe.ts';
import { sharedBy } from '../shared.ts';
import { type AvroPlan, createAvroPlan } from './avro-plan.ts';
import type { ChangeShape } from './change-shape.ts';
import { type EventField, fieldsByDescribe, fieldsBySchema } from './event-fields.ts';
import { keptSchemaText } from './kept-schema.ts';
import { StreamFault } from './transport.ts';

/** How events of one schema become rows of one object, by what the user may read of it now. */
export interface EventPlan {
  readonly object: string;
  /** Null when the schema cannot be had, which only JSON can do without. */
  readonly avro: AvroPlan | null;
  readonly fields: readonly EventField[];
  readonly byName: ReadonlyMap<string, EventField>;
  /** By the text of its bitmaps. */
  readonly shapes: Map<string, ChangeShape>;
  /** Where the stamps stand among an event's values; -1 when they do not. */
  readonly lastModifiedAt: number;
  readonly createdAt: number;
  /** The object has this field, and the kind of event tells its value. */
  readonly hasIsDeleted: boolean;
}

/** What is known of events' schemas. A schema never changes under its id; what the user may read of it does. */
export interface EventPlans {
  /** At once when it is known; asks the org, once for all who want it, when it is not. */
  schema(id: string): AvroPlan | undefined;
  loadSchema(id: string, signal: AbortSignal): Promise<AvroPlan>;
  plan(schemaId: string): EventPlan | undefined;
  /** @param object  the header's entity, or the platform event */
  loadPlan(schemaId: string, object: string, signal: AbortSignal): Promise<EventPlan>;
  /** All of this that was asked for, as a text from which `openKeptEvents` makes the same plan. */
  keep(schemaId: string, object: string, signal: AbortSignal): Promise<string>;
}

/** A permission that was given is noticed after so long. */
const freshMs = 15 * 60_000;

export function createEventPlans(parts: {
  readonly loadSchema: (id: string, signal: AbortSignal) => Promise<string>;
  /** JSON can be read without a schema. */
  readonly needsSchema: boolean;
  readonly describes: Describes;
  readonly context: Pick<ConnectorContext, 'clock' | 'random' | 'log' | 'connection'>;
}): EventPlans {
  const { describes, context, needsSchema } = parts;
  const schemas = new Map<string, { readonly plan: AvroPlan; readonly text: string }>();
  const schemasComing = new Map<string, Promise<AvroPlan>>();
  const plans = new Map<string, { plan: EventPlan; describe: Describe | null; atMs: number }>();
  const plansComing = new Map<string, Promise<EventPlan>>();

  async function readSchema(id: string, signal: AbortSignal): Promise<AvroPlan> {
    const text = await parts.loadSchema(id, signal);
    const schema = sharedBy(`schema ${text}`, () => ({ plan: createAvroPlan(text), text }));
    schemas.set(id, schema);
    return schema.plan;
  }

  /** Of an object that describe does not know any more, or a platform event: the schema alone has to do. */
  async function describeOf(object: string, signal: AbortSignal): Promise<Describe | null> {
    try {
      // Events that have come wait for it: a new connection would bring them once more, and the first of all perhaps not at all.
      return await retrying(() => describes.get(object, signal), { clock: context.clock, random: context.random, signal });
    } catch (error) {
      if (error instanceof SyncError && error.code === 'request_refused') return null;
      throw error;
    }
  }

  async function makePlan(schemaId: string, object: string, signal: AbortSignal): Promise<EventPlan> {
    const avro = needsSchema ? await api.loadSchema(schemaId, signal) : await optional(api.loadSchema(schemaId, signal));
    const known = plans.get(schemaId);
    let describe = await describeOf(object, signal);
    const lacks = (of: Describe) =>
      avro?.fields.some(({ name }) => name !== 'ChangeEventHeader' && !of.fields.some((field) => field.name === name)) ?? false;
    if (describe !== null && known === undefined && lacks(describe)) {
      // A field that is new in the org, more likely than one that is hidden: what was described lately may lack it.
      describes.forget(object);
      describe = await describeOf(object, signal);
    }
    const plan = known?.plan !== undefined && known.describe === describe ? known.plan : build(object, avro, describe);
    plans.set(schemaId, { plan, describe, atMs: context.clock.now() });
    return plan;
  }

  async function optional(schema: Promise<AvroPlan>): Promise<AvroPlan | null> {
    try {
      return await schema;
    } catch (error) {
      if (!(error instanceof SyncError) && !(error instanceof StreamFault)) throw error;
      context.log.debug(
        { connection: context.connection, error: error.message },
        'an event schema cannot be had; describe has to do',
      );
      return null;
    }
  }

  const api: EventPlans = {
    schema: (id) => schemas.get(id)?.plan,
    loadSchema: (id, signal) =>
      schemas.has(id) ? Promise.resolve(schemas.get(id)!.plan) : once(schemasComing, id, () => readSchema(id, signal)),
    plan(schemaId) {
      const known = plans.get(schemaId);
      return known !== undefined && isFresh(known.atMs, context.clock) ? known.plan : undefined;
    },
    loadPlan: (schemaId, object, signal) => once(plansComing, schemaId, () => makePlan(schemaId, object, signal)),
    async keep(schemaId, object, signal) {
      const described = await describeOf(object, signal);
      return keptSchemaText({
        object,
        avro: schemas.get(schemaId)?.text ?? null,
        describe: described,
        atMs: context.clock.now(),
      });
    },
  };
  return api;
}

const isFresh = (atMs: number, clock: Clock) => Math.abs(clock.now() - atMs) < freshMs;

function build(object: string, avro: AvroPlan | null, describe: Describe | null): EventPlan {
  const fields = avro !== null ? fieldsBySchema(avro.fields, describe) : describe === null ? [] : fieldsByDescribe(describe);
  return {
    object: describe?.name ?? object,
    avro,
    fields,
    byName: new Map(fields.map((field) => [field.name, field])),
    shapes: new Map(),
    lastModifiedAt: fields.findIndex(({ name }) => name === 'LastModifiedDate'),
    createdAt: fields.findIndex(({ name }) => name === 'CreatedDate'),
    hasIsDeleted: describe?.fields.some(({ name }) => name === 'IsDeleted') ?? false,
  };
}

/** Whoever asks while the answer is on its way gets that one; a failure is not kept. */
function once<T>(coming: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const under = coming.get(key);
  if (under !== undefined) return under;
  const asked = ask().finally(() => coming.delete(key));
  coming.set(key, asked);
  return asked;
}
