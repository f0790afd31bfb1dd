import { type DryRun, type FieldPreview, type FieldValue, type PlannedWrite, sumOfCalls, type WriteCalls } from '@tidemark/core';
import { countWords } from './run-text.ts';
import { shortened } from './table.ts';
import type { Paint } from './terminal.ts';

/** Fields of one record in a line of text; with --json all of them come. */
const FIELDS_SHOWN = 6;
const VALUE_CHARACTERS = 40;

/** The first so many of what a run would do, and how many there are. */
export class FirstOf<Each> {
  readonly first: Each[] = [];
  total = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(each: Each): void {
    this.total++;
    if (this.first.length < this.#max) this.first.push(each);
  }
}

/** What a run would come to, for people: in totals, then record by record. */
export function renderDryRun(sync: string, result: DryRun, { first, total }: FirstOf<PlannedWrite>, paint: Paint): string {
  const why = result.reason === null ? '' : ` (${result.reason})`;
  const lines = [`${paint('bold', sync)}: a ${result.kind} run${why} would come to this; nothing was written`];
  lines.push(`  ${countWords(result.counts)}`);
  if (result.calls !== null) lines.push(`  API calls to write: ${callWords(result.calls)}`);
  for (const write of first) lines.push(`  ${writeLine(write, paint)}`);
  lines.push(...moreLine(total - first.length, paint));
  return `${lines.join('\n')}\n`;
}

export function moreLine(more: number, paint: Paint): string[] {
  if (more === 0) return [];
  return [paint('dim', `  and ${more.toLocaleString('en-US')} more records: --show all lists them, --json too`)];
}

/** `3: 1 to read, 2 by sObject Collections`. */
export function callWords(calls: WriteCalls): string {
  const { reads, collections, bulkJobs, bulkRequests, requests } = calls;
  const number = (count: number) => count.toLocaleString('en-US');
  const parts = [
    reads > 0 ? `${number(reads)} to read` : null,
    collections > 0 ? `${number(collections)} by sObject Collections` : null,
    bulkJobs > 0 ? `${number(bulkRequests)} for ${bulkJobs === 1 ? 'a Bulk job' : `${number(bulkJobs)} Bulk jobs`}` : null,
    requests > 0 ? `${number(requests)} requests` : null,
  ].filter((part) => part !== null);
  const total = sumOfCalls(calls);
  return total === 0 ? 'none' : `${number(total)}: ${parts.join(', ')}`;
}

/** @param on  the connection, of a sync that writes to two of them */
export function writeLine({ effect, key: name, fields, resent, reason, place }: PlannedWrite, paint: Paint, on?: string): string {
  const key = on === undefined ? name : `${on} ${name}`;
  switch (effect) {
    case 'create':
      return `${paint('green', '+')} create ${key}: ${fieldList(fields)}`;
    case 'send':
      return `${paint('green', '>')} send ${key}: ${fieldList(fields)}`;
    case 'update': {
      const same =
        resent === 0
          ? ''
          : `${resent} ${resent === 1 ? 'field is sent as the record has it' : 'fields are sent as the record has them'}`;
      return `${paint('yellow', '~')} update ${key}: ${[fieldList(fields), same].filter((part) => part !== '').join('; ')}`;
    }
    case 'delete':
      return `${paint('red', '-')} delete ${key}`;
    default: {
      const where = place === undefined ? '' : ` in ${place}`;
      return `${paint('red', 'x')} refused ${key}${where}: ${reason?.code}: ${reason?.message}`;
    }
  }
}

function fieldList(fields: readonly FieldPreview[]): string {
  const shown = fields.slice(0, FIELDS_SHOWN).map(fieldText);
  const more = fields.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

function fieldText({ field, before, after }: FieldPreview): string {
  return before === undefined ? `${field} ${valueText(after)}` : `${field} ${valueText(before)} -> ${valueText(after)}`;
}

export function valueText(value: FieldValue): string {
  return shortened(JSON.stringify(value), VALUE_CHARACTERS);
}
