import type { Change } from '../../model/change.ts';
import type { SideRow } from '../../model/side.ts';
import { type FieldValue, newRow, type Row, textOf } from '../../model/value.ts';
import type { Link } from '../../store/links.ts';
import { isLike } from './is-like.ts';
import type { Base, SideName } from './merge-record.ts';
import { otherSide } from './merge-record.ts';
import type { OpenedPairing } from './opened-pairing.ts';

/** Two keys that belong together, as far as they are known, with the left record as it is now. Rows in their side's own names. */
export interface Partners {
  readonly leftKey: string | null;
  readonly rightKey: string | null;
  readonly link: Link | null;
  /** The record names a partner that is not there any more, though no link is kept: it went before we knew of the two. */
  readonly orphaned?: true;
  readonly base: Base;
  readonly left: SideRow | null;
  /** As it was when partners were looked for; it is read again under its lock. */
  readonly right: SideRow | null;
}

/** A record that may be the same as several others, or as one that has its partner already. Becomes a failure (P2). */
export interface Unpaired {
  readonly side: SideName;
  readonly row: SideRow;
  readonly code: 'several_matches' | 'match_is_taken';
  readonly message: string;
}

export interface Found {
  readonly partners: readonly Partners[];
  readonly unpaired: readonly Unpaired[];
}

/**
 * Who belongs to whom: by the link that is kept, else by the key that one side keeps of the other, else, on a first meeting, by the
 * fields that the user named for it. A record without a partner stands alone; what becomes of it is decided later.
 *
 * @param decided  left keys of pairs about which somebody has decided
 */
export async function findPartners(
  pairing: OpenedPairing,
  touched: Readonly<Record<SideName, readonly string[]>>,
  signal: AbortSignal,
  decided: ReadonlySet<string> = new Set(),
): Promise<Found> {
  const links = await linksOf(pairing, touched);
  const linked = { left: new Set(links.map(({ leftKey }) => leftKey)), right: new Set(links.map(({ rightKey }) => rightKey)) };
  const alone = {
    left: touched.left.filter((key) => !linked.left.has(key)),
    right: touched.right.filter((key) => !linked.right.has(key)),
  };
  const rows = {
    left: await read(pairing, 'left', alone.left, signal),
    right: await read(pairing, 'right', alone.right, signal),
  };
  const found: Partners[] = [];
  const unpaired: Unpaired[] = [];
  const taken = { left: new Set<string>(), right: new Set<string>() };
  /** Links of which one record goes by another key now, by their left keys. */
  const renewed = new Set<string>();
  for (const side of ['left', 'right'] as const) {
    const lonely = alone[side].flatMap((key) => rows[side].get(key) ?? []).filter(({ key }) => !taken[side].has(key));
    const { likely, owners } = await candidates(pairing, side, lonely, signal);
    const other = otherSide(side);
    const kept = await linksBy(
      pairing,
      other,
      [...likely.values()].flatMap((rows) => rows.map(({ key }) => key)),
    );
    const former = await formerLinks(pairing, side, lonely, { likely, kept }, signal);
    for (const row of lonely) {
      const link = former.get(row.key);
      if (link !== undefined) {
        kept.delete(link[`${other}Key`]);
        renewed.add(link.leftKey);
      }
      const partner = choose(likely.get(row.key) ?? [], kept, taken[other], other, owners.get(row.key));
      if (typeof partner === 'object' && partner !== null && 'code' in partner) {
        unpaired.push({ side, row, ...partner });
        continue;
      }
      taken[side].add(row.key);
      if (partner !== null) taken[other].add(partner.key);
      const named = partnerNamed(pairing, side, row);
      // Also of one that is there still: it may go before it is read under its lock.
      const isNamed =
        partner === null ? named !== null : named === partner.key || partnerNamed(pairing, other, partner) === row.key;
      const keys = { [side]: row.key, [other]: partner?.key ?? named } as Record<SideName, string | null>;
      const pair = { [side]: row, [other]: partner } as Record<SideName, SideRow | null>;
      const orphaned = isNamed ? { orphaned: true as const } : {};
      const base = link === undefined ? {} : (JSON.parse(link.base) as Base);
      found.push({ leftKey: keys.left, rightKey: keys.right, link: null, base, ...orphaned, ...pair });
    }
  }
  // The left side has no locks: the shorter the time from its reading to the writing, the fewer edits fall in between.
  const again = found.flatMap(({ left, rightKey }) => (left === null || rightKey === null ? [] : [left.key]));
  const latest = await read(pairing, 'left', [...linked.left, ...again], signal);
  const anew = await madeAnew(pairing, links, { touched, decided }, signal);
  const known = links.flatMap((link): Partners[] => {
    const left = latest.get(link.leftKey) ?? null;
    const own = anew.get(link);
    // It has been met with its new partner already.
    if (link.gone !== null && (taken.left.has(link.leftKey) || taken.right.has(link.rightKey))) return [];
    if (renewed.has(link.leftKey)) return [];
    if (own !== undefined) return [{ ...own, left: own.left ?? left, right: null, link: null, orphaned: true, base: {} }];
    return [{ ...link, link, base: JSON.parse(link.base) as Base, left, right: null }];
  });
  // Who has gone meanwhile is told so by the write.
  const made = found.map((pair) => ({ ...pair, left: latest.get(pair.leftKey ?? '') ?? pair.left }));
  return { partners: [...known, ...made], unpaired };
}

/** The same, with the left records as they are by now. Who has gone meanwhile and was never linked is told so by the write. */
export async function withLeftAnew(
  pairing: OpenedPairing,
  partners: readonly Partners[],
  signal: AbortSignal,
): Promise<readonly Partners[]> {
  const latest = await read(
    pairing,
    'left',
    partners.flatMap(({ leftKey }) => leftKey ?? []),
    signal,
  );
  return partners.map((pair) => ({ ...pair, left: latest.get(pair.leftKey ?? '') ?? (pair.link === null ? pair.left : null) }));
}

/**
 * Records that were gone on both sides and are back on one get a partner anew, as those do for which it was decided. Who was made for
 * them is found by naming them, should we have died before we knew: to make it once more would be refused, or overwrite what has been
 * changed in it since.
 */
async function madeAnew(
  pairing: OpenedPairing,
  links: readonly Link[],
  { touched, decided }: { touched: Readonly<Record<SideName, readonly string[]>>; decided: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<ReadonlyMap<Link, Pick<Partners, 'leftKey' | 'rightKey' | 'left'>>> {
  const anew = new Map<Link, Pick<Partners, 'leftKey' | 'rightKey' | 'left'>>();
  const isDecided = ({ gone, leftKey }: Link) => gone !== null && decided.has(leftKey);
  const buried = links.filter((link) => link.gone === 'both' || isDecided(link));
  for (const side of buried.length === 0 ? [] : (['left', 'right'] as const)) {
    const other = otherSide(side);
    const naming = pairing[other].link;
    const own = new Map(buried.map((link) => [side === 'left' ? link.leftKey : link.rightKey, link]));
    const asked = new Set(touched[side]);
    const back = [...own].flatMap(([key, link]) => (asked.has(key) || isDecided(link) ? [key] : []));
    if (naming === null || back.length === 0) continue;
    const partners = await pairing[other].find(
      back.map((key) => Object.assign(newRow(), { [naming]: key })),
      signal,
    );
    const kept = await linksBy(
      pairing,
      other,
      partners.map(({ key }) => key),
    );
    for (const partner of partners) {
      const key = textOf(partner.row[naming]);
      const link = key === null ? undefined : own.get(key);
      if (link === undefined || (kept.get(partner.key)?.gone ?? 'both') !== 'both') continue;
      const keys = { [side]: key, [other]: partner.key } as Record<SideName, string>;
      anew.set(link, { leftKey: keys.left, rightKey: keys.right, left: side === 'right' ? partner : null });
    }
  }
  return anew;
}

/** A record that names a partner whose own one is not there any more is that one, by another key: an application may change keys. */
async function formerLinks(
  pairing: OpenedPairing,
  side: SideName,
  lonely: readonly SideRow[],
  { likely, kept }: { readonly likely: ReadonlyMap<string, readonly SideRow[]>; readonly kept: ReadonlyMap<string, Link> },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Link>> {
  const claims = lonely.flatMap((row) => {
    const [only, ...others] = likely.get(row.key) ?? [];
    const link = only === undefined || others.length > 0 ? undefined : kept.get(only.key);
    return link?.gone === null && partnerNamed(pairing, side, row) === only!.key ? [{ key: row.key, link }] : [];
  });
  const keys = claims.map(({ link }) => link[`${side}Key`]);
  const there = await read(pairing, side, keys, signal);
  return new Map(claims.flatMap(({ key, link }) => (there.has(link[`${side}Key`]) ? [] : [[key, link] as const])));
}

/** The key of the partner that a record itself tells. A key that is its own as well (one key on both sides) tells of nobody. */
function partnerNamed(pairing: OpenedPairing, side: SideName, { row }: SideRow): string | null {
  const { link, source } = pairing[side];
  return link === null || source.schema.key.includes(link) ? null : textOf(row[link]);
}

async function linksOf(pairing: OpenedPairing, touched: Readonly<Record<SideName, readonly string[]>>): Promise<Link[]> {
  const byLeft = await linksBy(pairing, 'left', touched.left);
  const byRight = await linksBy(pairing, 'right', touched.right);
  return [...new Map([...byLeft.values(), ...byRight.values()].map((link) => [link.leftKey, link])).values()];
}

async function linksBy(
  { store: { links }, name }: OpenedPairing,
  side: SideName,
  keys: readonly string[],
): Promise<Map<string, Link>> {
  const found = side === 'left' ? await links.linksByLeft(name, keys) : await links.linksByRight(name, keys);
  return new Map(found.map((link) => [side === 'left' ? link.leftKey : link.rightKey, link]));
}

async function read(
  pairing: OpenedPairing,
  side: SideName,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, SideRow>> {
  if (keys.length === 0) return new Map();
  const changes = await pairing[side].source.readKeys!(keys, signal);
  return new Map(changes.flatMap((change) => (change.op === 'upsert' ? [[change.key, sideRowOf(change)] as const] : [])));
}

function sideRowOf({ key, row, stampMs }: Change): SideRow {
  return { key, row: row!, atMs: stampMs === 0 ? null : stampMs };
}

/** Records of the other side that may be the same as these, and to whom they belong if not to these, by the key of each. */
async function candidates(
  pairing: OpenedPairing,
  side: SideName,
  lonely: readonly SideRow[],
  signal: AbortSignal,
): Promise<{ readonly likely: ReadonlyMap<string, readonly SideRow[]>; readonly owners: ReadonlyMap<string, string> }> {
  const other = otherSide(side);
  const found = new Map<string, readonly SideRow[]>();
  const there = pairing[other];
  const ownLink = pairing[side].link;

  const add = async (wanted: ReadonlyMap<string, Row>, caseless?: ReadonlySet<string>) => {
    if (wanted.size === 0) return;
    const rows = await there.find([...wanted.values()], signal, caseless);
    for (const [key, want] of wanted) {
      const same = rows.filter(({ row }) => isLike(row, want, caseless));
      if (same.length > 0) found.set(key, same);
    }
  };
  const wantedBy = (want: (row: SideRow) => Row | null) =>
    new Map(
      lonely.flatMap((row) => {
        const wanted = found.has(row.key) ? null : want(row);
        return wanted === null ? [] : [[row.key, wanted] as const];
      }),
    );
  const field = (name: string, value: FieldValue | undefined): Row | null =>
    value === null || value === undefined ? null : Object.assign(newRow(), { [name]: value });

  const [otherKey] = there.source.schema.key;
  if (ownLink !== null) await add(wantedBy(({ row }) => field(otherKey!, row[ownLink])));
  if (there.link !== null) await add(wantedBy(({ key }) => field(there.link!, key)));
  if (pairing.match.length > 0) {
    const wanted = wantedBy(({ row }) => matchOn(pairing, other, side, row));
    await add(wanted, caselessOf(pairing, other));
    await refuseTwins(pairing, side, lonely, wanted, found, signal);
    return { likely: found, owners: await ownersOf(pairing, side, [...wanted.keys()], found, signal) };
  }
  return { likely: found, owners: new Map() };
}

/** A record that names another one which is there, or is named by it, is its partner, whatever else it looks like. */
async function ownersOf(
  pairing: OpenedPairing,
  side: SideName,
  matched: readonly string[],
  found: ReadonlyMap<string, readonly SideRow[]>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { link, source } = pairing[side];
  const [ownKey] = source.schema.key;
  const theirs = pairing[otherSide(side)].link;
  const likes = matched.flatMap((key) => {
    const [like, ...more] = found.get(key) ?? [];
    return like === undefined || more.length > 0 ? [] : [{ key, like, named: theirs === null ? null : textOf(like.row[theirs]) }];
  });
  const naming = link === null ? [] : likes.map(({ like }): Row => Object.assign(newRow(), { [link]: like.key }));
  const named = likes.flatMap(({ named }): Row[] => (named === null ? [] : [Object.assign(newRow(), { [ownKey!]: named })]));
  const owners = [naming, named].map((wanted) => (wanted.length === 0 ? [] : pairing[side].find(wanted, signal)));
  const there = (await Promise.all(owners)).flat();
  return new Map(
    likes.flatMap(({ key, like, named }) => {
      const owner = there.find((each) => each.key === named || (link !== null && textOf(each.row[link]) === like.key));
      return owner === undefined || owner.key === key ? [] : [[key, owner.key] as const];
    }),
  );
}

/** The fields by which a record of `from` is looked for on `to`; null where one of them is empty. */
function matchOn(pairing: OpenedPairing, to: SideName, from: SideName, row: Row): Row | null {
  const wanted = newRow();
  for (const field of pairing.fields) {
    if (!pairing.match.includes(field.field.name)) continue;
    const value = row[field[from]] ?? null;
    if (value === null) return null;
    wanted[field[to]] = value;
  }
  return wanted;
}

/** This side's fields of which one of the two sides disregards capitals: what it cannot tell apart, the other must not either. */
function caselessOf({ fields, left, right }: OpenedPairing, side: SideName): ReadonlySet<string> {
  return new Set(
    fields.flatMap((field) => (left.caseless?.has(field.left) || right.caseless?.has(field.right) ? [field[side]] : [])),
  );
}

/** One record over there that several here are like belongs to none of them: who is met first would be chance. */
async function refuseTwins(
  pairing: OpenedPairing,
  side: SideName,
  lonely: readonly SideRow[],
  wanted: ReadonlyMap<string, Row>,
  found: Map<string, readonly SideRow[]>,
  signal: AbortSignal,
): Promise<void> {
  const matched = lonely.filter(({ key }) => wanted.has(key) && found.has(key));
  if (matched.length === 0) return;
  const own = matched.map(({ row }) => matchOn(pairing, side, side, row)!);
  const caseless = caselessOf(pairing, side);
  const alike = await pairing[side].find(own, signal, caseless);
  for (const [i, { key }] of matched.entries()) {
    const same = alike.filter(({ row }) => isLike(row, own[i]!, caseless));
    if (same.length > 1) found.set(key, [...found.get(key)!, ...same.filter((twin) => twin.key !== key)]);
  }
}

function choose(
  candidates: readonly SideRow[],
  kept: ReadonlyMap<string, Link>,
  taken: ReadonlySet<string>,
  side: SideName,
  owner: string | undefined,
): SideRow | null | Pick<Unpaired, 'code' | 'message'> {
  if (candidates.length === 0) return null;
  if (candidates.length > 1) {
    const keys = candidates
      .slice(0, 5)
      .map(({ key }) => key)
      .join(', ');
    return { code: 'several_matches', message: `it cannot be told from others that match as well: ${keys}` };
  }
  const [only] = candidates as [SideRow];
  const link = kept.get(only.key);
  // A partner whose own record is gone is free again.
  if (owner !== undefined || taken.has(only.key) || (link !== undefined && link.gone === null)) {
    const linked = side === 'left' ? link?.rightKey : link?.leftKey;
    const partner = owner ?? linked ?? 'another one';
    return { code: 'match_is_taken', message: `it matches ${only.key}, which belongs to ${partner}` };
  }
  return only;
}
