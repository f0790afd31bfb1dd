/** A system that Tidemark does the work of, and what that work is, line by line. */
export interface System {
  /** Three digits; a line's tag is `000-1`. */
  readonly tag: string;
  readonly name: string;
  /** The folder in `examples/` that shows it. */
  readonly example: string;
  readonly lines: readonly string[];
}

/** What has to work, in our words. A test that shows a line has the line's tag in its name. */
export const systems: readonly System[] = [
  {
    tag: '000',
    name: 'Watermark poll, as a Mule batch application does it',
    example: 'watermark-poll',
    lines: [
      'Starts by itself and runs every ten seconds; frequency and start delay are configured.',
      'Reads what has changed since the last run, by the user’s own SOQL with the watermark bound to it.',
      'The watermark is durable under a key, has a default of a day ago, and moves only past what was handled.',
      'A run has phases: it reads, processes each record and counts it, and ends with a report of totals.',
      'Each changed record is a line of JSON on the console, with a message of the user’s choosing.',
      'Logs in with user name, password and security token, besides OAuth.',
      'A test of a connection succeeds, or says why not, and then nothing is taken over.',
      'One command runs it, it stops cleanly, and a sync is edited in its file or on screen.',
      'One document to print or share: a diagram of each sync, its configuration, and the notes at any block.',
    ],
  },
  {
    tag: '001',
    name: 'Sync pipe of a SaaS vendor, as a Node.js service does it',
    example: 'sync-pipe',
    lines: [
      'The vendor’s data go into many customers’ orgs, each by a connection that is made, kept and watched.',
      'A platform event over CometD, with replay ids, leads to an update at once.',
      'Off hours all related records are read and asked for, in batches of 100.',
      'An ingress queue of requests of 1 to 100 records: looked up at the vendor, compared with the org, real differences go on.',
      'What is in the egress queue ends in Salesforce: fewer than ten records by REST, more by the Bulk API.',
      'Limits are minded: reads of at most 200, writes in bulk, and the org is never locked up.',
      'Redis holds the queues.',
      'The Salesforce side is written as an sfdx project: object, event, Flow, permission set, layout, CI, and how to install it.',
      'A check before the run names the permission that is missing.',
    ],
  },
  {
    tag: '002',
    name: 'Two-way sync over Kafka and MongoDB',
    example: 'two-way-kafka-mongo',
    lines: [
      '`POST /publish-order-update` with `OrderId` and `Status` publishes a platform event.',
      'A subscriber puts that event on a Kafka topic, and the topic’s consumer stores it in MongoDB.',
      'Changes in Salesforce reach MongoDB, changes in the application reach Salesforce, in near real time, and both stay whole.',
      'Salesforce’s metadata make the database’s schema and CRUD APIs, with a page that describes them.',
      'Flows are declared in YAML, in a few lines each.',
      'Further sources of data and events are plugins.',
      'Credentials come from the environment, and one command serves it all.',
      'Reports and dashboards run off the copy, not the org.',
    ],
  },
  {
    tag: '003',
    name: 'Change Data Capture with enrichment, as a Go service with PostgreSQL does it',
    example: 'cdc-enrich',
    lines: [
      'Creates, updates and deletes of Account keep a PostgreSQL table equal, by the Pub/Sub API.',
      'Subscribe, store, parse (by transaction and in order), enrich, save.',
      'A new account gets a signup code of its own, which is saved and goes back to Salesforce.',
      'Raw events are kept with schema and replay id before they are parsed, and can be replayed.',
      'The replay id is durable: what was missed comes after a restart, and one that cannot be replayed is made up for.',
      'What is usually left out: order and buffering, authentication, security, deletes.',
      'The `sf` CLI’s login can be used.',
      'The tables are `accounts (id, account_number, name, signup_code)` and `events (id, schema_id, payload, replay_id)`.',
    ],
  },
  {
    tag: '004',
    name: 'Delta sync with links and sync events, as Valence does it',
    example: 'delta-link',
    lines: [
      'The first run fetches everything, later ones what has changed; a source that cannot tell is read whole each time.',
      'Every run leaves a record: when, which window, how it ended, counts.',
      'The window begins at the last run that succeeded, and widens after failures until a good run catches up.',
      'Partial success: good records are written, and the run counts as failed.',
      'The record that gums up the works is named; such runs are listed and told of.',
      'A cursor of the source’s own; a failed run’s is not taken over.',
      'An adapter of one’s own is told the last success and the last cursor, and sets the cursor as it goes.',
      'Run Now and Full Run, as commands and buttons, and neither for a sync that is only pushed to.',
      'A full run after a changed mapping, after data loss, or by schedule.',
      'What has not changed is not written.',
    ],
  },
];

export const lineTags: readonly string[] = systems.flatMap(({ tag, lines }) => lines.map((_, i) => `${tag}-${i + 1}`));
