import type { Random } from './random.ts';

/**
 * Texts that have broken somebody's export: what looks like a null, what looks like syntax, what is not ASCII.
 * By kind, so that a test can say that none is forgotten.
 */
export const traps = {
  nullWords: ['NULL', 'null', 'NA', 'N/A', '#N/A', 'None', 'nil', 'undefined', 'NaN', '-'],
  copyMarkers: ['\\.', '\\N', '\\', '\\\\.', 'C:\\temp\\new\\.', 'ends with a backslash\\'],
  quotes: ['"', '""', '"quoted"', "'single'", 'a "b" c', '""";', 'she said ""yes""', '“curly”'],
  commas: [',', 'a,b,,c', '1,234.56', 'comma, "quote", comma'],
  lineFeeds: ['first\nsecond', 'with empty line\n\nafter', '"quoted\nacross lines"'],
  carriageReturns: ['first\r\nsecond', 'one\r\n\r\nthree, "four"'],
  tabs: ['column\tcolumn', 'a\tb\tc\\t'],
  numbersAsText: ['007', '1e5', '0x1F', '00.10', '+1', '1.', 'Infinity', 'true', '2024-02-30'],
  syntax: ['=1+1', '@SUM(A1)', "'; DROP TABLE accounts; --", '{{7*7}}', '<b>bold</b> & more', '%00', '$HOME', '$1'],
  emoji: ['🙂', 'on fire 🔥🔥', 'family 👩‍👩‍👧‍👦', 'flag 🇨🇭', 'thumbs 👍🏽'],
  combining: [
    'Ame\u0301lie',
    'A\u030angstro\u0308m',
    'ﬁnal ligature',
    'non\u00a0breaking',
    'zero\u200bwidth',
    'right\u200fleft',
    'İıſß',
  ],
} as const satisfies Record<string, readonly string[]>;

const allTraps: readonly (readonly string[])[] = Object.values(traps);

/** Each kind as likely as the others. */
export const trap = (random: Random): string => random.pick(random.pick(allTraps));

const phrases = [
  'Met at the trade show and asked for a quote.',
  'Prefers e-mail; never call before 10.',
  'Wants the "enterprise" edition, but only for 3 sites.',
  'Renewal is due next quarter, legal has to sign.',
  'Der Vertrag läuft über fünf Jahre – Kündigung möglich.',
  "L'équipe attend une réponse d'ici l'été.",
  'Ο πελάτης ζήτησε νέα προσφορά.',
  'Клиент просит перезвонить завтра.',
  'العميل يطلب عرض سعر جديد.',
  '客户希望下周收到报价。',
  '来週、見積書を送付する予定です。',
  '다음 주에 다시 연락하기로 했습니다.',
  'Budget: 1,200.50 – 3,400.75 per unit; discount 12.5%.',
  'Great call today 🙂 follow up on Monday!',
  'See \\\\fileserver\\sales\\notes.txt for the history.',
];

/** Long enough to cut any text from, without building it word by word. */
const paragraphs = Array.from({ length: 400 }, (_, i) => phrases[(i * 7) % phrases.length]!).join(' ');
const twice = paragraphs.repeat(2);
const lines = paragraphs.replaceAll('. ', '.\r\n');

/** Mostly nothing; now and then a note; seldom something long. Never ends in half a character. */
export function description(random: Random): string | null {
  const drawn = random.next();
  if (drawn < 0.6) return null;
  if (drawn < 0.85) return random.pick(phrases);
  if (drawn < 0.95) return `${random.pick(phrases)}\n${random.pick(phrases)}`;
  if (drawn < 0.99) return trap(random);
  if (drawn < 0.9985) return cut(lines, random.int(300, 3000));
  return cut(twice, 31_000);
}

function cut(text: string, length: number): string {
  return text
    .slice(0, length)
    .toWellFormed()
    .replace(/\ufffd$/, '')
    .trimEnd();
}

/** For a field of one line: `text`, but now and then a trap instead. */
export function trapped(random: Random, text: string, lengthMax: number): string {
  if (!random.chance(0.01)) return text;
  const chosen = trap(random);
  return chosen.length > lengthMax || /[\r\n\t]/.test(chosen) ? text : chosen;
}

/** Fills a pattern: each `#` becomes a digit. */
export function digits(random: Random, pattern: string): string {
  let filled = '';
  for (let i = 0; i < pattern.length; i++) filled += pattern[i] === '#' ? random.int(0, 9) : pattern[i];
  return filled;
}

const slugs = new Map<string, string>();

/** The letters of a name that an e-mail address can hold. Names come from a list, so each is worked out once. */
export function slug(name: string): string {
  let letters = slugs.get(name);
  if (letters === undefined) {
    letters = name
      .normalize('NFD')
      .replace(/[^A-Za-z]/g, '')
      .toLowerCase();
    slugs.set(name, letters);
  }
  return letters;
}
