/** Names a trouble: of each kind and subject there is one at a time. */
export interface TroubleName {
  readonly kind: string;
  /** The sync, stream or connection that has it. */
  readonly subject: string;
}

/** What is wrong at this time, and was told. */
export interface OpenTrouble extends TroubleName {
  readonly sinceMs: number;
  /** Since when it was not seen any more; null while it is there. */
  readonly clearSinceMs: number | null;
}

/** What receivers are told of. One is kept for each of them. */
export interface NewNotification {
  readonly receivers: readonly string[];
  /** JSON. */
  readonly body: string;
  readonly atMs: number;
}

export interface WaitingNotification {
  readonly id: string;
  readonly body: string;
}

/** The right to send to a receiver, which nobody else has until it ends. */
export interface Turn {
  /** How often it was tried in a row, this time counted. */
  readonly attempt: number;
  /** The oldest ones. */
  readonly notifications: readonly WaitingNotification[];
}

/** What was told, and what is still to be told, so that neither a restart nor another process tells it again. Every method is atomic. */
export interface NotificationStore {
  troubles(): Promise<readonly OpenTrouble[]>;
  /** Opens the trouble and has it told, unless it is open already. @returns whether it was not */
  open(trouble: TroubleName & { readonly sinceMs: number }, told: NewNotification): Promise<boolean>;
  /** Remembers since when an open trouble is not seen any more, the first time that counts; null: it is there again. */
  setClear(trouble: TroubleName, clearSinceMs: number | null): Promise<void>;
  /** Ends it and has that told, unless it is gone or was seen again since `trouble` was read. @returns whether it did */
  close(trouble: OpenTrouble, told: NewNotification): Promise<boolean>;

  /** How many are still to be told, by receiver. */
  waiting(): Promise<ReadonlyMap<string, number>>;
  /** Takes the receiver's next turn, until `untilMs` at most; null when nothing waits, or it is not yet time, or another has it. */
  takeTurn(receiver: string, nowMs: number, untilMs: number): Promise<Turn | null>;
  /** These were told. Its next turn may be at once. */
  told(receiver: string, ids: readonly string[]): Promise<void>;
  /** They could not be told: its next turn is then. */
  postpone(receiver: string, untilMs: number): Promise<void>;
  /** Gives up what nobody could be told for so long. @returns how many, by receiver */
  giveUp(createdBeforeMs: number): Promise<ReadonlyMap<string, number>>;
}
