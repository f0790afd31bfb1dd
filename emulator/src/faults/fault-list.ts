import { seededRandom } from '../seeded-random.ts';
import { type FaultLevel, faultKinds } from './fault-kinds.ts';
import type { FaultMatch, FaultSpec, FaultStatus, FiredFault } from './types.ts';

/** The faults of one emulator. Each keeps count of the requests it matched and of those it struck. */
export interface FaultList {
  /** @returns the fault's id, for `remove` and `status`. @throws {TypeError} on an unknown kind, parameter or condition. */
  add(spec: FaultSpec): string;
  remove(id: string): boolean;
  clear(): void;
  list(): FaultStatus[];
  status(id: string): FaultStatus | undefined;
  /** Every fault of this level that strikes the request (for gRPC: rpc and topic). Counts, so it is asked once a request. */
  fire(level: FaultLevel, method: string, url: string): FiredFault[];
}

interface ActiveFault {
  status: FaultStatus;
  pattern: RegExp | undefined;
  random: () => number;
}

export function createFaultList(): FaultList {
  const faults = new Map<string, ActiveFault>();
  let added = 0;
  return {
    add(spec) {
      checkSpec(spec);
      added += 1;
      const id = `fault-${added}`;
      const match = spec.match ?? {};
      const pattern =
        match.path instanceof RegExp ? match.path : match.pattern === undefined ? undefined : new RegExp(match.pattern);
      faults.set(id, {
        status: { id, kind: spec.kind, match, params: spec.params ?? {}, matched: 0, fired: 0 },
        // A global pattern remembers where it stopped and would match every second time.
        pattern: pattern && new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')),
        random: seededRandom(match.seed ?? 1),
      });
      return id;
    },
    remove: (id) => faults.delete(id),
    clear: () => faults.clear(),
    list: () => [...faults.values()].map(({ status }) => ({ ...status })),
    status(id) {
      const fault = faults.get(id);
      return fault && { ...fault.status };
    },
    fire(level, method, url) {
      if (faults.size === 0) return [];
      const target = decoded(url);
      const fired: FiredFault[] = [];
      for (const fault of faults.values()) {
        if (faultKinds[fault.status.kind].level !== level || !strikes(fault, method, target)) continue;
        const { id, kind, params } = fault.status;
        fired.push({ id, kind, params });
      }
      return fired;
    },
  };
}

function strikes(fault: ActiveFault, method: string, url: string): boolean {
  const { status, pattern } = fault;
  const { match } = status;
  if (match.method !== undefined && match.method.toUpperCase() !== method) return false;
  if (match.rpc !== undefined && match.rpc !== method) return false;
  if (match.topic !== undefined && match.topic !== url) return false;
  if (typeof match.path === 'string' && !url.startsWith(match.path)) return false;
  if (pattern && !pattern.test(url)) return false;
  const { only, methods, meets } = faultKinds[status.kind];
  if (only?.test(url) === false || methods?.test(method) === false || meets?.(status.params, url) === false) return false;
  status.matched += 1;
  if (match.nth !== undefined && status.matched !== match.nth) return false;
  if (match.after !== undefined && status.matched <= match.after) return false;
  if (match.times !== undefined && status.fired >= match.times) return false;
  const share = match.probability ?? (faultKinds[status.kind].level === 'row' ? status.params.share : undefined);
  if (typeof share === 'number' && fault.random() >= share) return false;
  status.fired += 1;
  return true;
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url.replaceAll('+', ' '));
  } catch {
    return url;
  }
}

const matchKeys: Record<keyof FaultMatch, readonly string[]> = {
  method: ['string'],
  path: ['string', 'object'],
  pattern: ['string'],
  rpc: ['string'],
  topic: ['string'],
  nth: ['number'],
  after: ['number'],
  times: ['number'],
  probability: ['number'],
  seed: ['number'],
};

/** Where a fault strikes, and by which conditions it is told what to meet. */
const http = { where: 'HTTP', conditions: ['method', 'path'] };
const grpc = { where: 'gRPC', conditions: ['rpc', 'topic'] };
const cometd = { where: 'CometD', conditions: ['rpc', 'topic'] };
const events = { where: 'events', conditions: ['method', 'topic'] };
const placeOf: Record<FaultLevel, typeof http> = {
  wire: http,
  resource: http,
  row: http,
  rpc: grpc,
  stream: grpc,
  event: events,
  cometd,
};
const placed: readonly string[] = ['method', 'path', 'rpc', 'topic'];

/** A misspelt condition would match everything or nothing, and a test with it would prove nothing: refuse it. */
function checkSpec(spec: FaultSpec): void {
  const facts = Object.hasOwn(faultKinds, spec.kind) ? faultKinds[spec.kind] : undefined;
  if (!facts) throw new TypeError(`unknown fault kind '${spec.kind}'; there are ${Object.keys(faultKinds).join(', ')}`);
  for (const name of Object.keys(spec.params ?? {})) {
    if (!facts.params.includes(name)) {
      throw new TypeError(`fault '${spec.kind}' takes no parameter '${name}'; it takes ${facts.params.join(', ') || 'none'}`);
    }
  }
  for (const [name, value] of Object.entries(spec.match ?? {})) {
    const types = Object.hasOwn(matchKeys, name) ? matchKeys[name as keyof FaultMatch] : undefined;
    if (!types) throw new TypeError(`unknown condition '${name}'; there are ${Object.keys(matchKeys).join(', ')}`);
    const { where, conditions } = placeOf[facts.level];
    if (placed.includes(name) && !conditions.includes(name)) {
      throw new TypeError(`fault '${spec.kind}' strikes ${where}: its conditions are ${conditions.join(' and ')}, not '${name}'`);
    }
    const fits = types.includes(typeof value) && (typeof value !== 'object' || value instanceof RegExp);
    if (!fits) throw new TypeError(`condition '${name}' of fault '${spec.kind}' must be a ${types[0]}`);
  }
}

/** A fault's parameter as a number, or `absent` when it was not given. */
export function numberParameter(fault: FiredFault, name: string, absent: number): number {
  const value = fault.params[name];
  return typeof value === 'number' ? value : absent;
}

export function textParameter(fault: FiredFault, name: string, absent: string): string {
  const value = fault.params[name];
  return typeof value === 'string' ? value : absent;
}
