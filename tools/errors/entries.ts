/** What a code means and what to do about it. */
export interface Entry {
  readonly code: string;
  readonly cause: string;
  readonly remedy: string;
}

/** Of commands, runs and streams: what goes on by itself says so in its remedy. */
export const runEntries: readonly Entry[] = [
  {
    code: 'config_invalid',
    cause: 'The configuration has errors, each told with its line. Nothing was started. Exit code 2.',
    remedy: 'Mend each line as its hint says; `tidemark check` looks at it again.',
  },
  {
    code: 'usage',
    cause: 'A command, flag or argument is not understood. Exit code 2.',
    remedy: 'See `tidemark <command> --help`, or the [command line](cli.md).',
  },
  {
    code: 'access_denied',
    cause: 'A system refuses our login, or a right is missing: no try later would change that.',
    remedy: 'Mend the password or grant the right that the message names. The next run goes on where the last one ended.',
  },
  {
    code: 'not_connected',
    cause: 'A system cannot be reached, or the connection or session broke.',
    remedy:
      'It is tried again with growing waits. If it goes on: is the host up, does its name lead there, is a firewall between?',
  },
  {
    code: 'transient',
    cause: 'A timeout, a lock, a full disk or a fault of the other system, which may pass.',
    remedy: 'It is tried again (`retry:` of the sync says how often). If it goes on, the message says what is short.',
  },
  {
    code: 'rate_limited',
    cause: 'The other system allows no more requests for a moment; of a hook: `rateLimit` is passed.',
    remedy: 'It goes on by itself. Who calls a hook waits as long as `Retry-After` says.',
  },
  {
    code: 'over_budget',
    cause: 'The API calls of 24 hours that are for such work are used up, ours or the whole org’s.',
    remedy:
      'It goes on by itself when there are some again. `tidemark status` says when; see [the budget](../budget.md). `tidemark run --ignore-budget` does not wait.',
  },
  {
    code: 'truncated_reply',
    cause: 'A reply has fewer or other rows than Salesforce announced. Nothing of it was taken as complete.',
    remedy: 'It is read again. If it goes on, look at the proxy between us and the org.',
  },
  {
    code: 'unexpected_reply',
    cause: 'A system answered in a way that Tidemark does not know. Nothing was guessed.',
    remedy: 'Is a proxy or login page in between? Otherwise report what `--verbose` shows.',
  },
  {
    code: 'schema_changed',
    cause: 'A table, column or field is not as it was when the run began.',
    remedy: 'The next run looks anew. A field that the configuration names and that is gone has to be taken out of it.',
  },
  {
    code: 'checkpoint_expired',
    cause: 'What happened since the checkpoint is not kept any more by the source.',
    remedy: 'Nothing: the same run reads everything instead.',
  },
  {
    code: 'sweep_refused',
    cause: 'A full run would delete more of the target than `sweepMax` (10 %) allows. Nothing was deleted.',
    remedy:
      'Look why so many records are missing at the source: a lost permission, a changed filter? If it is right, `tidemark run <sync> --full --sweep-max 50%`.',
  },
  {
    code: 'held',
    cause: 'With `onFailure: hold`: a record was refused, so that the run counts as failed and its window stays open.',
    remedy: '`tidemark failures list` names the record and the reason. Once it passes, the next run catches up.',
  },
  {
    code: 'request_refused',
    cause: 'What was asked for cannot be done: a field or table that is not there, a query that the system refuses.',
    remedy: 'The hint says what to change.',
  },
  {
    code: 'ownership_lost',
    cause: 'Another process has taken the sync over. This one has changed nothing since.',
    remedy: 'Nothing, if several are meant to share the syncs ([scaling](../scaling.md)). Otherwise stop one of them.',
  },
  {
    code: 'abandoned',
    cause: 'The process ended in the middle of a run (killed, or the machine went down).',
    remedy: 'Nothing: the next run goes on from the checkpoint.',
  },
  { code: 'stopped', cause: 'Somebody stopped it (Ctrl-C). Exit code 130.', remedy: 'Nothing: the next run goes on from there.' },
  {
    code: 'invariant',
    cause: 'Tidemark found itself in a state that must not be. It is our bug.',
    remedy: 'The next start goes on from the checkpoint. Please report the message.',
  },
  {
    code: 'unexpected',
    cause: 'An error that nobody had thought of.',
    remedy: 'Run it again with `--verbose`, or look at the log, and report what it says.',
  },
];

/** Of single records; their remedies are those that failures are shown with. */
export const recordEntries: readonly (Omit<Entry, 'remedy'> & { readonly place?: string })[] = [
  { code: 'key_missing', cause: 'A field of the record’s key is null.' },
  { code: 'datatype_mismatch', cause: 'A value is not of its column’s type.' },
  { code: 'wrong_type', cause: 'A value is not of the type that the topic’s schema says.' },
  { code: 'VALUE_REFUSED', cause: 'A value cannot become one of the Salesforce field’s type.' },
  { code: 'MISSING_ARGUMENT', cause: 'The external id is empty.' },
  { code: 'MALFORMED_ID', cause: 'What should be a Salesforce id is none.' },
  {
    code: 'DUPLICATE_VALUE',
    cause: 'Two records of one batch have the same external id; or Salesforce says that another one has it.',
  },
  { code: 'NOT_FOUND', cause: 'The record that is to be updated or deleted is not in the org.' },
  { code: 'EVENT_TOO_LARGE', cause: 'The event is larger than Salesforce takes.' },
  { code: 'MESSAGE_TOO_LARGE', cause: 'The message is larger than `max.message.bytes` of the topic.' },
  { code: '10334', cause: 'The document would be larger than the 16 MB that MongoDB takes.' },
  { code: '22021', cause: 'A text holds a NUL character, which PostgreSQL cannot store.' },
  { code: 'PATH_VALUE', cause: 'A field that is a part of the request’s path is empty or cannot stand there.' },
  { code: 'LOOKUP_VALUE', cause: 'A value cannot be looked up, or what was found is not of the type that the step declares.' },
  { code: 'LOOKUP_PAGED', cause: 'The lookup is answered in several pages: more would be found than was read.' },
  { code: 'lookup_missing', cause: 'A `lookup` step with `missing: fail` found nothing.' },
  { code: 'lookup_ambiguous', cause: 'A `lookup` step found several records.' },
  { code: 'several_matches', cause: 'Two-way: several records of the other side match this one.' },
  { code: 'match_is_taken', cause: 'Two-way: the record that matches is linked with another one already.' },
  { code: 'conflict', cause: 'Two-way: the other side has changed the same field, and a conflict is open.' },
  { code: 'cannot_create', cause: 'Two-way: the other side cannot make a record: a link field or a right is missing.' },
  { code: 'event_unreadable', cause: 'An event or message came that cannot be read. What came is kept.' },
  { code: 'UNKNOWN', cause: 'Salesforce refused the record and gave no code.' },
  {
    code: 'step_failed',
    place: 'that is named',
    cause: 'A `run` step threw an error. (Codes such as `D3030` or `T2001` are those of JSONata expressions.)',
  },
];

/** Of HTTP answers, with their status. */
export const httpEntries: readonly (Entry & { readonly status: string })[] = [
  {
    code: 'bad_request',
    status: '400',
    cause: 'The request is not understood.',
    remedy: 'The message names the part; `/api-docs` says what an operation takes.',
  },
  {
    code: 'token_missing',
    status: '401',
    cause: 'No token was sent.',
    remedy: 'Send `Authorization: Bearer <token>`. `tidemark token add` makes one for the API; a hook has its own.',
  },
  {
    code: 'token_wrong',
    status: '401',
    cause: 'The token is not known, or was revoked.',
    remedy: '`tidemark token list` shows which there are; for a hook, compare with its configuration.',
  },
  {
    code: 'signature_missing',
    status: '401',
    cause: 'A signed hook was called without signature or timestamp.',
    remedy: 'Send both headers ([hooks](../hooks.md)).',
  },
  {
    code: 'signature_wrong',
    status: '401',
    cause: 'The signature does not fit the body.',
    remedy: 'Sign timestamp, dot and the very bytes of the body with the secret of this hook.',
  },
  {
    code: 'signature_stale',
    status: '401',
    cause: 'The time of signing is too far from now.',
    remedy: 'Is the sender’s clock right? Sign each try anew.',
  },
  {
    code: 'role_missing',
    status: '403',
    cause: 'The token’s role is too small for this.',
    remedy: '`tidemark token add <name> --role operate` (or `admin`) makes one that may.',
  },
  {
    code: 'origin_refused',
    status: '403',
    cause: 'A page of another site asks.',
    remedy: 'Open the page at the address at which Tidemark answers.',
  },
  {
    code: 'host_refused',
    status: '403',
    cause: 'Somebody asks by a name that is not this machine’s own.',
    remedy: 'Name an address with `--host` to be reached by others.',
  },
  {
    code: 'not_found',
    status: '404',
    cause: 'There is nothing of that name or path.',
    remedy: 'Names are those of the configuration; receipts of hooks are kept for seven days.',
  },
  { code: 'method_not_allowed', status: '405', cause: 'A hook takes POST only.', remedy: 'Send records by POST.' },
  {
    code: 'body_too_large',
    status: '413',
    cause: 'The body is larger than the hook takes.',
    remedy: 'Send fewer records in a request, or raise `bodyMax`.',
  },
  {
    code: 'unsupported_media_type',
    status: '415',
    cause: 'The body is not JSON in UTF-8, or is compressed.',
    remedy: 'Send `Content-Type: application/json`, uncompressed.',
  },
  {
    code: 'body_invalid',
    status: '422',
    cause: 'The body is JSON, but no record and no list of records. Nothing was kept.',
    remedy: 'Send one record or an array of them.',
  },
  {
    code: 'records_invalid',
    status: '422',
    cause: 'A record is not as the hook declares its fields. Nothing of the request was kept.',
    remedy: '`problems` names record and field; mend them and send the request again.',
  },
  {
    code: 'idempotency_key_reused',
    status: '422',
    cause: 'The same `Idempotency-Key` came with another body before.',
    remedy: 'Take a new key for each request.',
  },
  {
    code: 'too_many_requests',
    status: '429',
    cause: 'More requests than one address may make.',
    remedy: 'Wait as long as `Retry-After` says.',
  },
  {
    code: 'not_kept',
    status: '503',
    cause: 'The record could not be kept.',
    remedy: 'Send it again with the same `Idempotency-Key`; our log says why.',
  },
  {
    code: 'outcome_pending',
    status: '504',
    cause: 'It is kept, and there was no outcome in the time of `?wait`.',
    remedy: 'Ask `href` of the answer. Nothing has to be sent again.',
  },
];

/** Texts at the place of a code that are none of Tidemark's: nobody meets them as one. */
export const notCodes: ReadonlyMap<string, string> = new Map([
  ['', 'a stream that broke off without a word of the server'],
  ['custom', 'what zod calls an issue of a check of ours'],
  ['EISDIR', 'what the file system says, which becomes request_refused'],
  ['ERR_SQLITE_ERROR', 'what node:sqlite calls every error'],
  ['subscription.topic.cannot.subscribe', 'what the Pub/Sub API says, which becomes access_denied'],
]);
