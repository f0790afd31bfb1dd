import type { Access } from '../access/access.ts';
import type { Users } from '../access/users.ts';
import type { AuthorizationCodes } from '../auth/authorization-codes.ts';
import type { Identity } from '../auth/identity.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { OrgAutomation } from '../automation/automation.ts';
import type { IngestJobs } from '../bulk/ingest-jobs.ts';
import type { QueryJobs } from '../bulk/query-jobs.ts';
import type { Streaming } from '../cometd/streaming.ts';
import type { EventBus } from '../events/types.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { OrgLimits } from '../limits/org-limits.ts';
import type { Org, Transaction } from '../org/types.ts';
import type { ManagedSubscriptions } from '../pubsub/managed-subscriptions.ts';
import type { PubSub } from '../pubsub/start-pubsub.ts';
import type { QueryLocators } from './query-locators.ts';
import type { RequestLog } from './request-log.ts';
import type { ToolingIds } from './tooling/ids.ts';

/** Everything that a handler may use. One per emulator. */
export interface EmulatorContext {
  /** For a data resource the org as the user of the request sees it; for everything else the whole org. */
  readonly org: Org;
  readonly access: Access;
  /** What the org does by itself. */
  readonly automation: OrgAutomation;
  readonly users: Users;
  /** Change events and platform events. */
  readonly bus: EventBus;
  /** CometD: who is connected, and what they are told. */
  readonly streaming: Streaming;
  readonly managedSubscriptions: ManagedSubscriptions;
  /** Ids of what Setup holds, which the Tooling API shows. */
  readonly toolingIds: ToolingIds;
  readonly identity: Identity;
  readonly sessions: Sessions;
  readonly codes: AuthorizationCodes;
  readonly faults: FaultList;
  readonly limits: OrgLimits;
  readonly requests: RequestLog;
  readonly locators: QueryLocators;
  readonly jobs: QueryJobs;
  readonly ingest: IngestJobs;
  /** Transactions that the backdoor holds open. */
  readonly transactions: Map<string, Transaction>;
  /** Guards the backdoor: part of its URL. */
  readonly backdoorSecret: string;
  /** `http://127.0.0.1:53211`; known once the emulator listens. */
  instanceUrl: string;
  /** Absent without a socket. */
  pubsub: PubSub | undefined;
}
