import { instanceOf, makeId } from '../org/ids.ts';
import { isPlatformEvent } from '../schema/platform-event.ts';
import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';
import { eventNamespace, headerRecord, identify } from './avro-schema.ts';
import { type ChangeEventPlan, planChangeEvent } from './change-event-schema.ts';
import { hasChangeEvents } from './event-names.ts';
import { type PlatformEventPlan, planPlatformEvent } from './platform-event-schema.ts';
import type { EventSchema } from './types.ts';

/** Schemas of all events, made from describe when first needed and again when an object changed. Old ones are kept: old events need them. */
export interface EventPlans {
  /** Undefined: no such object, or one of which there are no change events. */
  change(object: string): ChangeEventPlan | undefined;
  platform(eventName: string): PlatformEventPlan | undefined;
  /** Of channels that carry several kinds of events: the header that all change events begin with. */
  readonly common: EventSchema;
  schema(id: string): EventSchema | undefined;
}

const common = identify({ ...headerRecord, namespace: eventNamespace });

export function createEventPlans(schema: Schema, seed: number): EventPlans {
  const schemas = new Map<string, EventSchema>();
  const fieldIds = new Map<string, string>();
  const instance = instanceOf(seed);

  const remember = <Plan extends ChangeEventPlan | PlatformEventPlan>(plan: Plan): Plan => {
    schemas.set(plan.codec.schema.id, plan.codec.schema);
    return plan;
  };
  const idOf = (object: ObjectDescribe) => (field: FieldDescribe) => {
    const key = `${object.name}.${field.name}`;
    const known = fieldIds.get(key) ?? makeId('00N', instance, fieldIds.size + 1).slice(0, 15);
    fieldIds.set(key, known);
    return known;
  };
  /** Describes are replaced, never altered: the same one means the same plan. */
  const planned = <Plan>(make: (object: ObjectDescribe) => Plan, hasEvents: (object: ObjectDescribe) => boolean) => {
    const plans = new Map<string, { object: ObjectDescribe; plan: Plan }>();
    return (name: string): Plan | undefined => {
      const object = schema.object(name);
      if (!object || object.name !== name || !hasEvents(object)) return undefined;
      const known = plans.get(name);
      if (known?.object === object) return known.plan;
      const plan = make(object);
      plans.set(name, { object, plan });
      return plan;
    };
  };

  schemas.set(common.id, common);
  return {
    common,
    change: planned((object) => remember(planChangeEvent(object, idOf(object))), hasChangeEvents),
    platform: planned(
      (object) => remember(planPlatformEvent(object, idOf(object))),
      (object) => isPlatformEvent(object.name),
    ),
    schema: (id) => schemas.get(id),
  };
}
