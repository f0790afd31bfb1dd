import type { Config, SyncOutline } from '@tidemark/core';
import { diagram } from './diagram.ts';
import { Html, html } from './html.ts';
import { promisesOf } from './promises.ts';
import { style } from './style.ts';

/** By which a page of ours is known. */
export const GENERATOR = '<meta name="generator" content="tidemark docs">';

export interface Documented {
  readonly config: Pick<Config, 'notes' | 'connections'>;
  readonly outlines: readonly SyncOutline[];
  /** Of the file that it was written from. */
  readonly title: string;
  readonly writtenAtMs: number;
}

/** One page for people who do not have the tool: it needs nothing beside itself, and prints as it is seen (000-9). */
export function page({ config, outlines, title, writtenAtMs }: Documented): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
${new Html(GENERATOR)}
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${title}</h1><p class="small">Written by tidemark docs on ${new Date(writtenAtMs).toISOString().slice(0, 16).replace('T', ' ')} UTC</p>${notes(config.notes)}</header>
<nav><h2>Syncs</h2><ul>${outlines.map(({ sync, blocks }) => html`<li><a href="#${anchor(sync)}">${sync}</a> <span class="small">${blocks[0]!.title} to ${blocks.at(-1)!.title}</span></li>`)}</ul></nav>
${outlines.map(section)}
<section><h2>Connections</h2>${table(
    ['name', 'type', 'notes'],
    [...config.connections.values()].map(({ name, connector, notes: noted }) => [name, connector.name, noted ?? '']),
  )}</section>
</body>
</html>
`.text;
}

function section(outline: SyncOutline): Html {
  const { sync, fields, settings, blocks } = outline;
  const isTwoWay = outline.direction === 'two-way';
  const mapped =
    fields === null
      ? html`<p>All fields, under their own names.</p>`
      : table(
          ['to', 'from', ...(isTwoWay ? ['rule'] : [])],
          fields.map(({ target, source, rule }) => [target, source, ...(isTwoWay ? [rule] : [])]),
        );
  return html`<section id="${anchor(sync)}">
<h2>${sync}</h2>${notes(outline.notes)}
<figure>${diagram(outline)}</figure>
<ol class="blocks">${blocks.map(
    ({ title, kind, lines, notes: noted }) =>
      html`<li><strong>${title}</strong> <span class="small">${kind}</span>${notes(noted)}${lines.map((line) => html`<code>${line}</code>`)}</li>`,
  )}</ol>
<h3>Fields</h3>${mapped}
<h3>When and how</h3>${table(['setting', 'value'], Object.entries(settings))}
<h3>What is promised</h3><ul>${promisesOf(outline).map((promise) => html`<li>${promise}</li>`)}</ul>
</section>`;
}

function notes(text: string | null): Html {
  return text === null ? html`` : html`<p class="notes">${text}</p>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): Html {
  return html`<table><thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead><tbody>${rows.map(
    (row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table>`;
}

/** Any name is one word of an address. */
function anchor(sync: string): string {
  return `sync-${encodeURIComponent(sync)}`;
}
