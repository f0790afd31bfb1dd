import type { Priority } from '../base/caller.ts';
import type { Problem } from '../base/errors.ts';
import type { LogLevel } from '../base/log.ts';
import type { RetryPolicy } from '../base/retry.ts';
import type { Connector, DeleteRule, SourcePart, TargetScope } from '../model/connector.ts';
import type { FieldType } from '../model/value.ts';
import type { DataConfig } from './data-access.ts';
import type { ReceiverConfig } from './notifications-config.ts';
import type { OrgTemplates } from './orgs.ts';
import type { PackageConfig } from './package-config.ts';
import type { PairingConfig } from './pairing.ts';

/** A connector of whatever type: its own schemas say what its configuration looks like. */
export type AnyConnector = Connector<unknown, unknown, unknown>;

/** A checked configuration: every default filled in, every name resolved, every path absolute. */
export interface Config {
  /** The file it came from, absolute. */
  readonly file: string;
  /** The file's folder: relative paths start here. */
  readonly baseDir: string;
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  /** One-way syncs. */
  readonly syncs: ReadonlyMap<string, SyncConfig>;
  /** Two-way syncs. No name is used twice. */
  readonly pairings: ReadonlyMap<string, PairingConfig>;
  /** What is there for each org of a connection; null when no connection stands for many. */
  readonly orgs: OrgTemplates | null;
  readonly store: StoreConfig;
  readonly log: { readonly level: LogLevel };
  readonly http: HttpConfig;
  /** Who is told when something is wrong. */
  readonly notifications: ReadonlyMap<string, ReceiverConfig>;
  readonly package: PackageConfig;
  readonly notes: string | null;
  /** What is not wrong and still worth a look, e.g. a secret in plain text. */
  readonly warnings: readonly Problem[];
}

/** Where `tidemark start` answers. */
export interface HttpConfig {
  /** Null: the usual one, if it is free. */
  readonly port: number | 'off' | null;
  /** Null: this machine only. */
  readonly host: string | null;
  /** Which tables are served row by row. */
  readonly data: DataConfig;
}

export type StoreConfig =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string };

export interface ConnectionConfig {
  readonly name: string;
  readonly connector: AnyConnector;
  /** As the connector's schema parsed it: give it to `connector.open`. May hold secrets. */
  readonly config: unknown;
  readonly notes: string | null;
  /** The one of many orgs that it is; absent when it is in the file under its own name. */
  readonly org?: OrgRef;
}

/** One of the orgs that a connection stands for. */
export interface OrgRef {
  readonly connection: string;
  readonly name: string;
}

/** Whose a sync is that is there for each org. */
export interface OwningOrg extends OrgRef {
  /** What is set for it alone. */
  readonly settings: string;
  /** Of what stands in the file for all orgs of the connection. */
  readonly template: string;
}

export interface SyncConfig {
  readonly name: string;
  /** Whose it is, of a sync `forEach: org`. */
  readonly org?: OwningOrg;
  /** In so many parts its source is read, each by a sync of its own; absent when as a whole. */
  readonly parts?: number;
  /** The one that this one reads, and the name in the file of the sync whose part it is. */
  readonly part?: SourcePart & { readonly sync: string };
  readonly from: SyncSource;
  readonly to: SyncTarget;
  /** In the source's own language. */
  readonly where: string | null;
  /** Target field → where its value comes from; null for all fields under their own names, but `exclude`. */
  readonly fields: ReadonlyMap<string, FieldMapping> | null;
  readonly exclude: readonly string[];
  readonly steps: readonly StepConfig[];
  /** Records that are in the target just as they arrive are left out there, though the target does not recognise them by itself. */
  readonly compare: boolean;
  /** When deltas run by themselves; null when only on request. */
  readonly schedule: ScheduleConfig | null;
  /** Follows the source's stream of changes; the schedule is then a safety net. */
  readonly live: boolean;
  /** The channel of a source that is nothing but events: each is brought once, as it comes. Null for one whose records can be read. */
  readonly channel: string | null;
  /** Events of a live sync are kept as they came for so long; null keeps none. */
  readonly journalMs: number | null;
  /** Wait between the start of the process and the first scheduled run. */
  readonly startDelayMs: number;
  /** Whose calls come first when a system's are short; null leaves it to what is done. */
  readonly priority: Priority | null;
  /** What the first run leaves out; null reads everything. */
  readonly startAt: StartAt | null;
  /** When full runs happen by themselves. */
  readonly full: ScheduleConfig | null;
  readonly deletes: DeleteRule;
  /** Every version of a row is kept beside its table; null leaves that as it is there. */
  readonly history: boolean | null;
  readonly onFailure: 'quarantine' | 'hold';
  /** Share of the target, 0 to 1, that a sweep may delete without asking (P4). */
  readonly sweepMax: number;
  /** Look back beyond the fresh watermark; null leaves it to the source. */
  readonly overlapMs: number | null;
  /** Changes in one write; null for the largest that the target accepts. */
  readonly batchSize: number | null;
  readonly retry: RetryPolicy;
  /** A window held open by a failing record (`onFailure: hold`) is reported after this long. */
  readonly warnAfterMs: number;
  /** Name under which the checkpoint is kept; the sync's name unless told otherwise. */
  readonly watermarkKey: string;
  readonly notes: string | null;
  /** Hash of everything that decides what lands in the target, the code of `run:` files included. */
  readonly fingerprint: string;
}

/** Either a connection's dataset or a module of the user's. */
export type SyncSource =
  | {
      readonly kind: 'connection';
      readonly connection: string;
      /** As the connector's `from` schema parsed it. */
      readonly spec: unknown;
      /** What it holds is sent to us by HTTP. */
      readonly hook?: HookConfig;
      readonly notes: string | null;
    }
  | {
      readonly kind: 'run';
      /** The module, absolute. */
      readonly file: string;
      readonly key: readonly string[];
      /** Names and types of what it yields; null when its rows tell. */
      readonly fields: ReadonlyMap<string, FieldType> | null;
      readonly options: unknown;
      readonly notes: string | null;
    };

/** Who may send records to a sync, and what they may look like. */
export interface HookConfig {
  readonly auth: HookAuth;
  /** Where it is sent to. */
  readonly path: string;
  readonly key: readonly string[];
  readonly fields: readonly HookField[];
  readonly extra: 'refuse' | 'ignore';
  /** Field with the time of a record's last change at the sender; null when there is none. */
  readonly stamp: string | null;
  readonly rateLimit: { readonly requests: number; readonly perMs: number } | null;
  readonly bodyBytesMax: number;
}

export type HookAuth =
  | { readonly kind: 'bearer'; readonly tokens: readonly string[] }
  | {
      readonly kind: 'hmac';
      readonly secrets: readonly string[];
      /** In lower case. */
      readonly signatureHeader: string;
      readonly timestampHeader: string;
      readonly toleranceMs: number;
    };

export interface HookField {
  readonly name: string;
  readonly type: FieldType;
  readonly required: boolean;
  readonly maxLength: number | null;
}

export interface SyncTarget {
  readonly connection: string;
  /** As the connector's `to` schema parsed it. */
  readonly spec: unknown;
  /** Target fields that identify a record; null for the source's own key. */
  readonly key: readonly string[] | null;
  /** What tells its rows from those of other orgs; absent when all rows are its own. */
  readonly scope?: TargetScope | undefined;
  readonly notes: string | null;
}

/** Where a field's value comes from: a source field as it is, or a JSONata expression over the whole record. */
export type FieldMapping =
  | { readonly kind: 'field'; readonly field: string }
  | {
      readonly kind: 'expression';
      readonly expression: string;
      /** Source fields that it reads (`Account.Name` for a path); null when that cannot be told: then all of them. */
      readonly reads: readonly string[] | null;
    };

/** `name` appears in failures and logs: `steps[0] filter`, or what the user called it. */
export type StepConfig =
  | {
      readonly kind: 'filter';
      readonly name: string;
      readonly expression: string;
      readonly reads: readonly string[] | null;
      readonly notes: string | null;
    }
  | {
      readonly kind: 'map';
      readonly name: string;
      readonly fields: ReadonlyMap<string, FieldMapping>;
      readonly notes: string | null;
    }
  | {
      readonly kind: 'run';
      readonly name: string;
      readonly file: string;
      /** Source fields that it gets; null for all of them. */
      readonly reads: readonly string[] | null;
      readonly options: unknown;
      readonly notes: string | null;
    }
  | LookupConfig;

export interface LookupConfig {
  readonly kind: 'lookup';
  readonly name: string;
  readonly connection: string;
  /** As the connector's `lookup` schema parsed it. */
  readonly spec: unknown;
  /** Field there by which records are found. */
  readonly key: string;
  /** Where its value comes from here. */
  readonly by: FieldMapping;
  /** Field here → field there. */
  readonly fields: ReadonlyMap<string, string>;
  readonly match: LookupMatch | null;
  readonly missing: 'keep' | 'drop' | 'fail';
  readonly several: 'fail' | 'first';
  readonly batch: number;
  /** 0: nothing is kept from one batch of records to the next. */
  readonly cacheMs: number;
  readonly notes: string | null;
}

/** Tells whether a record that was found is meant. */
export interface LookupMatch {
  /** Over `found.Field` and `record.Field`. */
  readonly expression: string | null;
  /** Without an expression: field there → field here, which have to be equal. */
  readonly equal: ReadonlyMap<string, string>;
  /** Fields that it looks at, there and here. */
  readonly found: readonly string[];
  readonly record: readonly string[];
}

export type ScheduleConfig =
  | { readonly kind: 'every'; readonly everyMs: number }
  | { readonly kind: 'cron'; readonly cron: string; readonly timezone: string };

/** A stretch before the first run, or an instant (epoch ms). */
export type StartAt = { readonly kind: 'ago'; readonly agoMs: number } | { readonly kind: 'instant'; readonly atMs: number };

/** When the first run of a sync reads from, epoch ms; null for everything. */
export function startAtMs(startAt: StartAt | null, nowMs: number): number | null {
  if (startAt === null) return null;
  return startAt.kind === 'ago' ? nowMs - startAt.agoMs : startAt.atMs;
}
