/** What somebody is told of, and told again when it is over. */
export const troubleKinds = [
  'run_failed',
  'window_held',
  'stream_unhealthy',
  'failures_open',
  'conflicts_open',
  'budget_short',
] as const;
export type TroubleKind = (typeof troubleKinds)[number];

/** Who is told, and of what. */
export interface ReceiverConfig {
  readonly name: string;
  readonly about: readonly TroubleKind[];
  readonly by: WebhookConfig | EmailConfig;
  readonly notes: string | null;
}

export interface WebhookConfig {
  readonly kind: 'webhook';
  /** May hold a secret in its path, as chat systems have it. */
  readonly url: string;
  /** Signs each request; null leaves them unsigned. */
  readonly secret: string | null;
  /** Also into our own network, and without TLS. */
  readonly allowPrivate: boolean;
}

export interface EmailConfig {
  readonly kind: 'email';
  /** `smtps://user:password@mail.example.com:465`. */
  readonly smtp: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly requireTls: boolean;
}
