import type { OutlineBlock, SyncOutline } from '@tidemark/core';
import { type Html, html } from './html.ts';

const WIDTH = 200;
const HEIGHT = 64;
const GAP = 44;
/** Side by side; more go to the next line. */
const IN_A_LINE = 4;
const LINE = HEIGHT + 40;
/** Characters that fit into a block. */
const TITLE_MAX = 24;

/** A sync as blocks and arrows: an SVG that prints as it is seen. */
export function diagram({ sync, direction, blocks }: SyncOutline): Html {
  const lines = Math.ceil(blocks.length / IN_A_LINE);
  const columns = Math.min(blocks.length, IN_A_LINE);
  const width = columns * WIDTH + (columns - 1) * GAP + 4;
  const height = (lines - 1) * LINE + HEIGHT + 4;
  const description = blocks.map(({ title }) => title).join(direction === 'two-way' ? ' and ' : ', then ');
  return html`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${sync}: ${description}">
    <defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>
    ${blocks.slice(1).map((_, i) => arrow(i, direction))}
    ${blocks.map((each, i) => block(each, i))}
  </svg>`;
}

function place(index: number): { x: number; y: number } {
  return { x: 2 + (index % IN_A_LINE) * (WIDTH + GAP), y: 2 + Math.floor(index / IN_A_LINE) * LINE };
}

function block({ kind, title, connection }: OutlineBlock, index: number): Html {
  const { x, y } = place(index);
  const below = connection === null ? kind : `${connection.type} ${kind}`;
  return html`<g class="${kind}"><rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="8"/>
    <text x="${x + WIDTH / 2}" y="${y + 28}">${short(title)}</text>
    <text x="${x + WIDTH / 2}" y="${y + 47}" class="kind">${below}</text></g>`;
}

/** From a block to the next: to the right, or down and back to where the next line begins. */
function arrow(from: number, direction: SyncOutline['direction']): Html {
  const [a, b] = [place(from), place(from + 1)];
  const start = direction === 'two-way' ? 'url(#head)' : 'none';
  const right = a.x + WIDTH;
  const middle = a.y + HEIGHT / 2;
  const turn = a.y + HEIGHT + (LINE - HEIGHT) / 2;
  const path =
    a.y === b.y
      ? `M${right + 2} ${middle}H${b.x - 3}`
      : `M${a.x + WIDTH / 2} ${a.y + HEIGHT}V${turn}H${b.x + WIDTH / 2}V${b.y - 3}`;
  return html`<path class="arrow" d="${path}" marker-end="url(#head)" marker-start="${start}"/>`;
}

function short(text: string): string {
  return text.length <= TITLE_MAX ? text : `${text.slice(0, TITLE_MAX - 1)}…`;
}
