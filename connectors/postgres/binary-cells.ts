/**
 * Canonical texts (see `FieldValue`) → the binary form in which PostgreSQL receives a type. Each writes at `at` and answers where it
 * ended, or `UNPLAIN` for a text that is not plainly of that type: then the server's own input function has to look at it.
 */
export const UNPLAIN = -1;

const ZERO = 48;
const MINUS = 45;
const POINT = 46;
const COLON = 58;
const LETTER_T = 84;
const LETTER_Z = 90;
const LOWER_T = 116;
const LOWER_F = 102;

const TWO_32 = 4294967296;
/** Longer cells are copied by the runtime, shorter ones are done before it has been called. */
export const CALL_BYTES = 96;
/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;
/** From 1 March of the year 0 to 2000-01-01, where PostgreSQL's calendar begins. */
const DAYS_OF_2000 = 730_425;

export function writeInt32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** A safe integer, with its length before it. */
export function writeInt64(out: Uint8Array, at: number, value: number): number {
  const high = Math.floor(value / TWO_32);
  return writeHalves(out, at, high, value - high * TWO_32);
}

function writeHalves(out: Uint8Array, at: number, high: number, low: number): number {
  writeInt32(out, at, 8);
  writeInt32(out, at + 4, high | 0);
  return writeInt32(out, at + 8, low | 0);
}

export function writeBoolean(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from];
  const isTrue = first === LOWER_T && to - from === 4;
  if (!isTrue && !(first === LOWER_F && to - from === 5)) return UNPLAIN;
  writeInt32(out, at, 1);
  out[at + 4] = isTrue ? 1 : 0;
  return at + 5;
}

/** A call to the runtime takes longer than a short text; whatever is not ASCII is its own to encode. */
export function writeString(out: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > CALL_BYTES) return at + out.write(text, at, 'utf8');
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return at + out.write(text, at, 'utf8');
    out[at + i] = code;
  }
  return at + length;
}

/** NaN when it is not a plain integer of few enough digits. */
function integerOf(bytes: Uint8Array, from: number, to: number): number {
  const negative = bytes[from] === MINUS;
  const begin = negative ? from + 1 : from;
  if (begin === to || to - begin > EXACT_DIGITS) return Number.NaN;
  let value = 0;
  for (let i = begin; i < to; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

export function writeInteger4(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const value = integerOf(bytes, from, to);
  if (!(value >= -2147483648 && value <= 2147483647)) return UNPLAIN;
  writeInt32(out, at, 4);
  return writeInt32(out, at + 4, value);
}

export function writeInteger8(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const value = integerOf(bytes, from, to);
  return Number.isNaN(value) ? UNPLAIN : writeInt64(out, at, value);
}

const double = new DataView(new ArrayBuffer(8));

export function writeDouble(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  // So many digits without an exponent neither overflow nor vanish.
  if (to - from > 40 || decimalPoint(bytes, from, to) === UNPLAIN) return UNPLAIN;
  let text = '';
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!);
  double.setFloat64(0, Number(text));
  writeInt32(out, at, 8);
  for (let i = 0; i < 8; i++) out[at + 4 + i] = double.getUint8(i);
  return at + 12;
}

/** Where the point of `-12.5` stands, `to` when there is none; UNPLAIN for anything but digits with at most one point among them. */
function decimalPoint(bytes: Uint8Array, from: number, to: number): number {
  const begin = bytes[from] === MINUS ? from + 1 : from;
  let point = to;
  for (let i = begin; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === POINT && point === to) point = i;
    else if (byte < ZERO || byte > ZERO + 9) return UNPLAIN;
  }
  return point > begin && (point === to || point < to - 1) ? point : UNPLAIN;
}

/** Bytes that a numeric of so many characters may take, with its length. */
export function numericRoom(characters: number): number {
  return 20 + characters;
}

/** numeric_recv: how many groups of four digits, the weight of the first, sign, digits after the point, the groups. */
export function writeNumeric(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const point = decimalPoint(bytes, from, to);
  if (point === UNPLAIN || to - from > 1000) return UNPLAIN;
  const negative = bytes[from] === MINUS;
  const begin = negative ? from + 1 : from;
  const scale = point === to ? 0 : to - point - 1;
  const wholeGroups = (point - begin + 3) >> 2;
  const groups = wholeGroups + ((scale + 3) >> 2);
  let place = writeInt16(out, at + 4, groups);
  place = writeInt16(out, place, wholeGroups - 1);
  place = writeInt16(out, place, negative ? 0x4000 : 0);
  place = writeInt16(out, place, scale);
  let next = begin;
  // The first group takes what the others leave.
  for (let group = 0, size = point - begin - (wholeGroups - 1) * 4; group < wholeGroups; group++, size = 4) {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 10 + bytes[next++]! - ZERO;
    place = writeInt16(out, place, value);
  }
  next = point + 1;
  for (let group = wholeGroups; group < groups; group++) {
    let value = 0;
    for (let i = 0; i < 4; i++, next++) value = value * 10 + (next < to ? bytes[next]! - ZERO : 0);
    place = writeInt16(out, place, value);
  }
  writeInt32(out, at, place - at - 4);
  return place;
}

export function writeInt16(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 8;
  out[at + 1] = value;
  return at + 2;
}

/** Two digits, or NaN. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Days since 2000-01-01 of `2024-05-22`; NaN for what is no day of the years 1 to 9999. */
function daysOf(bytes: Uint8Array, at: number): number {
  const year = two(bytes, at) * 100 + two(bytes, at + 2);
  const month = two(bytes, at + 5);
  const day = two(bytes, at + 8);
  if (bytes[at + 4] !== MINUS || bytes[at + 7] !== MINUS) return Number.NaN;
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return Number.NaN;
  // Counted in years that begin in March, so that a leap day is the last one.
  const marchYear = month > 2 ? year : year - 1;
  const century = (marchYear / 100) | 0;
  const yearDay = (((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0) + day - 1;
  return marchYear * 365 + (marchYear >> 2) - century + (century >> 2) + yearDay - DAYS_OF_2000;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

export function writeDate(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const days = to - from === 10 ? daysOf(bytes, from) : Number.NaN;
  if (Number.isNaN(days)) return UNPLAIN;
  writeInt32(out, at, 4);
  return writeInt32(out, at + 4, days);
}

/** Milliseconds of `13:05:09.123`, or NaN. */
function timeOf(bytes: Uint8Array, at: number): number {
  const hour = two(bytes, at);
  const minute = two(bytes, at + 3);
  const second = two(bytes, at + 6);
  const last = bytes[at + 11]! - ZERO;
  const colons = bytes[at + 2] === COLON && bytes[at + 5] === COLON && bytes[at + 8] === POINT;
  if (!colons || !(hour <= 23 && minute <= 59 && second <= 59 && last >= 0 && last <= 9)) return Number.NaN;
  return ((hour * 60 + minute) * 60 + second) * 1000 + two(bytes, at + 9) * 10 + last;
}

export function writeTime(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const ms = to - from === 12 ? timeOf(bytes, from) : Number.NaN;
  return Number.isNaN(ms) ? UNPLAIN : writeInt64(out, at, ms * 1000);
}

/** `2024-05-22T13:05:09.123Z`, as microseconds: more than a double holds exactly, so in halves. */
export function writeDatetime(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  if (to - from !== 24 || bytes[from + 10] !== LETTER_T || bytes[from + 23] !== LETTER_Z) return UNPLAIN;
  const ms = daysOf(bytes, from) * 86_400_000 + timeOf(bytes, from + 11);
  if (Number.isNaN(ms)) return UNPLAIN;
  const upper = Math.floor(ms / 65_536);
  const micros = (ms - upper * 65_536) * 1000;
  const shifted = upper * 1000;
  const high = Math.floor(shifted / 65_536);
  const low = (shifted - high * 65_536) * 65_536 + micros;
  const carry = Math.floor(low / TWO_32);
  return writeHalves(out, at, high + carry, low - carry * TWO_32);
}
