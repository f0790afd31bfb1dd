/** Text, elements in their order, or several elements of one name. What is null or undefined is left out. */
export type Node = string | number | boolean | null | undefined | Elements | readonly Elements[];
export interface Elements {
  readonly [name: string]: Node;
}

/** A component of the Metadata API as a file. */
export function component(root: string, elements: Elements): string {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<${root} xmlns="http://soap.sforce.com/2006/04/metadata">`,
    ...linesOf(elements, 1),
    `</${root}>`,
  ];
  return `${lines.join('\n')}\n`;
}

function linesOf(elements: Elements, depth: number): string[] {
  return Object.entries(elements).flatMap(([name, node]) => {
    const nodes: readonly Node[] = Array.isArray(node) ? node : [node as Node];
    return nodes.flatMap((each) => element(name, each, depth));
  });
}

function element(name: string, node: Node, depth: number): string[] {
  if (node === null || node === undefined) return [];
  const indent = '    '.repeat(depth);
  if (typeof node !== 'object') return [`${indent}<${name}>${escaped(String(node))}</${name}>`];
  const inner = linesOf(node as Elements, depth + 1);
  return inner.length === 0 ? [`${indent}<${name}/>`] : [`${indent}<${name}>`, ...inner, `${indent}</${name}>`];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
