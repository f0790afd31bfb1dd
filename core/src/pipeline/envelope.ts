import { UnexpectedReplyError } from '../base/errors.ts';
import type { OpenedSync } from './opened-sync.ts';

/**
 * What is kept with a sync's data: the source's own checkpoint, and what it is only good for. A checkpoint is of use while it
 * is read from the same org, under the same configuration, for the same fields; otherwise records that it has passed would
 * stay wrong (DESIGN, "Changed configuration").
 */
export interface Envelope {
  /** The source's checkpoint, opaque. */
  readonly position: string;
  /** Which system it is from: an org id. */
  readonly origin: string;
  /** Of the configuration. */
  readonly fingerprint: string;
  /** Fields of the target and their types when it was made: a new one means that old rows lack it. */
  readonly fields: Readonly<Record<string, string>>;
  /** Of a live sync: which process's run has written it, and a number that no other write has. See `WriteGate.sign`. */
  readonly by?: string;
}

/** Of a live sync it is signed: whoever follows the stream finds what another process has written beside it. */
export function encodeEnvelope(envelope: Envelope, { gate }: Pick<OpenedSync, 'gate'>): string {
  return JSON.stringify({ v: 1, ...envelope, ...(gate === null ? {} : { by: gate.sign() }) });
}

/** What is kept with a write that moves no checkpoint: the same one signed anew, or null for nothing. */
export async function signedAnew(sync: Pick<OpenedSync, 'gate' | 'checkpoints' | 'config'>): Promise<string | null> {
  if (sync.gate === null) return null;
  const envelope = decodeEnvelope(await sync.checkpoints.read(sync.config.watermarkKey));
  return envelope === null ? null : encodeEnvelope(envelope, sync);
}

export function decodeEnvelope(text: string | null): Envelope | null {
  if (text === null) return null;
  const envelope = parse(text);
  if (envelope.v !== 1) {
    throw new UnexpectedReplyError(`a checkpoint of version ${envelope.v} is newer than this Tidemark`, {
      hint: 'run the newer version, or reset the sync',
    });
  }
  return envelope;
}

function parse(text: string): Envelope & { v: number } {
  try {
    return JSON.parse(text) as Envelope & { v: number };
  } catch {
    throw new UnexpectedReplyError('the checkpoint cannot be read: it is none that Tidemark has written', {
      hint: 'tidemark reset of this sync forgets it; the next run is then a full one',
    });
  }
}

/** What a checkpoint of this sync is kept with, as things stand now. */
export function envelopeBase({
  source,
  config,
  steps,
}: Pick<OpenedSync, 'source' | 'config' | 'steps'>): Omit<Envelope, 'position'> {
  const fields = Object.fromEntries(steps.schema.fields.map((field) => [field.name, field.type]));
  return { origin: source.origin, fingerprint: config.fingerprint, fields };
}

/** Why the next run of a sync is a full one, in words; null when it is a delta. */
export function reasonForFull(
  sync: Pick<OpenedSync, 'source' | 'config' | 'steps'>,
  envelope: Envelope | null,
  asked: boolean,
): string | null {
  if (asked) return 'asked for';
  if (sync.source.readDelta === undefined) return 'the source cannot tell what changed';
  return whyFull(envelope, envelopeBase(sync));
}

/** Why a delta from this checkpoint would leave holes, in words; null when it is good. A field that is gone leaves none. */
function whyFull(envelope: Envelope | null, now: Omit<Envelope, 'position'>): string | null {
  if (envelope === null) return 'there is no checkpoint yet';
  if (envelope.fingerprint !== now.fingerprint) return 'the configuration of the sync has changed';
  const added = Object.keys(now.fields).filter((name) => envelope.fields[name] === undefined);
  if (added.length > 0) return `new fields have to be filled: ${added.join(', ')}`;
  const retyped = Object.keys(now.fields).filter((name) => envelope.fields[name] !== now.fields[name]);
  if (retyped.length > 0) return `fields have changed their type: ${retyped.join(', ')}`;
  return null;
}
