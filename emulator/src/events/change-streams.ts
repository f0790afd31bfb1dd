import { randomUUID } from 'node:crypto';
import type { FaultList } from '../faults/fault-list.ts';
import { normaliseId } from '../org/ids.ts';
import { keepsValues, kindOf } from '../org/table.ts';
import type { CommittedTransaction, Org } from '../org/types.ts';
import type { ObjectDescribe } from '../schema/types.ts';
import { seededRandom } from '../seeded-random.ts';
import { asGap, type CapturedEvent, type CaptureLimits, captureCommit, headerOf, noRecordId } from './capture-commit.ts';
import { ChangeEvent } from './change-event.ts';
import type { Member } from './custom-channels.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import type { EventPlans } from './event-plans.ts';
import { createPayloadStore } from './payload-store.ts';
import { encodeHeader } from './record-codec.ts';
import type { ReplayIds } from './replay-ids.ts';
import type { GapType } from './types.ts';

/** Change events of every object: captured from the org's commits while somebody selects the object. */
export interface ChangeStreams {
  /** Of the standard channel; custom channels capture their members beside these. */
  readonly selected: ReadonlySet<string>;
  select(objects: readonly string[]): void;
  isCaptured(object: string): boolean;
  /** Begins to watch the org's commits, once. */
  listen(): void;
  log(object: string): EventLog<ChangeEvent>;
  logs(): Iterable<EventLog<ChangeEvent>>;
  emitGap(object: string, type: GapType, recordIds: readonly string[]): void;
  emitOverflow(object: string): void;
}

export function createChangeStreams(bus: {
  org: Org;
  plans: EventPlans;
  ids: ReplayIds;
  faults: FaultList | undefined;
  limits: CaptureLimits;
  seed: number;
  members(kind: 'change'): readonly Member[];
  appended(): void;
}): ChangeStreams {
  const { org, plans, ids, faults } = bus;
  const selected = new Set<string>();
  const logs = new Map<string, EventLog<ChangeEvent>>();
  const store = createPayloadStore();
  const uuidOf = uuidMaker(bus.seed);
  let newestCommit = 1n;
  let watching = false;

  const log = (object: string) => {
    const known = logs.get(object) ?? createEventLog<ChangeEvent>();
    logs.set(object, known);
    return known;
  };
  const isCaptured = (object: string) => selected.has(object) || bus.members('change').some((member) => member.object === object);

  /** One event, in the log of its object and in those of channels that want it in another shape. */
  function append(captured: CapturedEvent, members: readonly Member[], uuidFrom?: number): number {
    const { plan, header, body, rows } = captured;
    const replayId = ids.next();
    const at = { replayId, publishedAtMs: org.clock.now(), uuidFrom: uuidFrom ?? replayId };
    const event = new ChangeEvent(at, plan, store(encodeHeader(header), body), uuidOf);
    log(plan.object).append(event);
    for (const member of members) {
      if (!member.changes || member.object !== plan.object) continue;
      if (rows.length === 0) member.changes.append(event);
      rows.forEach((row, i) => {
        if (member.filter && !member.filter.matches(row)) return;
        const own = { ...header, recordIds: [header.recordIds[i]!] };
        const single = rows.length === 1 ? event : new ChangeEvent(at, plan, store(encodeHeader(own), body), uuidOf);
        member.changes!.append(single);
      });
    }
    return replayId;
  }

  function appendWithFaults(captured: CapturedEvent, members: readonly Member[]): void {
    const topic = `/data/${captured.plan.eventName}`;
    const fired = faults?.fire('event', captured.header.changeType, topic).map(({ kind }) => kind) ?? [];
    if (fired.includes('lost-event')) return;
    const told = fired.includes('overflow-event')
      ? overflowOf(captured)
      : fired.includes('gap-event')
        ? gapOf(captured)
        : captured;
    const replayId = append(told, members);
    if (fired.includes('duplicate-event')) append(told, members, replayId);
  }

  function take(committed: CommittedTransaction): void {
    newestCommit = committed.commitNumber;
    const members = bus.members('change');
    const objects = new Set(selected);
    for (const { object } of members) objects.add(object!);
    const planOf = (object: string) => (objects.has(object) ? plans.change(object) : undefined);
    const captured = captureCommit(committed, planOf, bus.limits);
    if (captured.length === 0) return;
    const own = members.filter(({ changes }) => changes);
    for (const event of captured) appendWithFaults(event, own);
    bus.appended();
  }

  function listen(): void {
    if (watching) return;
    watching = true;
    org.onCommit(take);
  }

  /** An event of the server's own work, in a transaction of its own. */
  function emit(object: string, type: GapType | 'GAP_OVERFLOW', recordIds: readonly string[]): void {
    const plan = plans.change(object);
    if (!plan || !isCaptured(object)) throw new TypeError(`change events of '${object}' are not selected`);
    const by = {
      key: randomUUID(),
      commitNumber: newestCommit,
      committedAtMs: org.clock.now(),
      userId: org.adminUserId,
      origin: '',
    };
    const header = headerOf(by, plan.object, type, [...recordIds], 1);
    append(
      { plan, header, body: plan.codec.emptyBody, rows: [] },
      bus.members('change').filter(({ changes }) => changes),
    );
    bus.appended();
  }

  const lastSeen = new Map(org.schema.objects.map((object) => [object.name, object]));
  org.schema.onChange((object) => {
    const before = lastSeen.get(object.name);
    lastSeen.set(object.name, object);
    // Values that a conversion lost are told by one event for all records (guide, "Gap Events").
    if (before && isCaptured(object.name) && losesValues(before, object))
      emit(object.name, 'GAP_UPDATE', [`${object.keyPrefix}*`]);
  });

  return {
    selected,
    select(objects) {
      const names = objects.map((name) => {
        const known = org.schema.object(name)?.name;
        if (known === undefined || !plans.change(known)) throw new TypeError(`there are no change events of '${name}'`);
        return known;
      });
      selected.clear();
      for (const name of names) selected.add(name);
      if (names.length > 0) listen();
    },
    isCaptured,
    listen,
    log,
    logs: () => logs.values(),
    emitGap(object, type, recordIds) {
      const full = recordIds.map((id) => {
        // A lossy conversion of a field's type names all records of the object: `001*`.
        const whole = /^\w{3}\*$/.test(id) ? id : normaliseId(id);
        if (whole === undefined) throw new TypeError(`'${id}' is no record id`);
        return whole;
      });
      emit(object, type, full);
    },
    emitOverflow: (object) => emit(object, 'GAP_OVERFLOW', [noRecordId]),
  };
}

/** Whether a field has a type now that its values cannot have. */
function losesValues(before: ObjectDescribe, after: ObjectDescribe): boolean {
  const kinds = new Map(after.fields.map((field) => [field.name, kindOf(field)]));
  return before.fields.some((field) => !keepsValues(kindOf(field), kinds.get(field.name) ?? kindOf(field)));
}

function gapOf(captured: CapturedEvent): CapturedEvent {
  const { plan, header } = captured;
  return { plan, header: asGap(header), body: plan.codec.emptyBody, rows: [] };
}

function overflowOf(captured: CapturedEvent): CapturedEvent {
  const gap = gapOf(captured);
  return { ...gap, header: { ...gap.header, changeType: 'GAP_OVERFLOW', recordIds: [noRecordId] } };
}

/** UUIDs that cost nothing to keep: they are made from replay ids when somebody asks. */
function uuidMaker(seed: number): (id: number) => string {
  const random = seededRandom(seed ^ 0x5eed);
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  const prefix = `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-`;
  return (id) => prefix + id.toString(16).padStart(12, '0');
}
