/** One sample of the text format, with its labels as they stand. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  help: string;
  type: string;
  readonly samples: Sample[];
}

/** Metrics by name, as Prometheus reads them ("Exposition formats"). */
export function familiesOf(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family>();
  const named = (name: string) => {
    const known = families.get(name) ?? { help: '', type: '', samples: [] };
    families.set(name, known);
    return known;
  };
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, kind, of, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') named(of!).help = rest!;
    else if (kind === 'TYPE') named(of!).type = rest!;
    else {
      const sample = sampleOf(line);
      const base = sample.name.replace(/_(?:bucket|sum|count)$/, '');
      named(families.get(base)?.type === 'histogram' || families.get(base)?.type === 'summary' ? base : sample.name).samples.push(
        sample,
      );
    }
  }
  return families;
}

function sampleOf(line: string): Sample {
  const [, name = '', labels = '', value = ''] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === '') throw new Error(`no sample: ${line}`);
  const pairs = [...labels.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g)].map(
    ([, label, text]) => [label!, text!] as const,
  );
  return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('Inf', 'Infinity')) };
}

/** Units are seconds, bytes, and shares of one: what Prometheus computes with. */
const OTHER_UNITS =
  /_(?:milliseconds?|microseconds?|nanoseconds?|minutes?|hours?|days?|weeks?|kilobytes?|megabytes?|gigabytes?|bits?|percent|ms|us|ns|sec|secs|mb|kb|gb)(?:_|$)/;

/** What `promtool check metrics` complains about (Prometheus, "Metric and label naming"). */
export function lint(text: string): readonly string[] {
  const problems: string[] = [];
  for (const [name, { help, type, samples }] of familiesOf(text)) {
    const complain = (what: string) => void problems.push(`${name}: ${what}`);
    if (help === '') complain('no help text');
    if (!['counter', 'gauge', 'histogram', 'summary'].includes(type)) complain(`no type that there is: ${type}`);
    if (type === 'counter' && !name.endsWith('_total')) complain('counters end in _total');
    if (type !== 'counter' && name.endsWith('_total')) complain('only counters end in _total');
    if (/_(?:counter|gauge|histogram|summary)(?:_|$)/.test(name)) complain('a name does not say the type');
    if (/[A-Z:]/.test(name)) complain('names are snake_case');
    if (OTHER_UNITS.test(name)) complain('takes another unit than the base one');
    if (type !== 'histogram' && type !== 'summary' && /_(?:bucket|count|sum)$/.test(name))
      complain('ends like a part of a histogram');
    const seen = new Set<string>();
    for (const sample of samples) {
      const id = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(id)) complain(`the same sample twice: ${id}`);
      seen.add(id);
      for (const label of Object.keys(sample.labels)) if (!/^[a-z][a-z0-9_]*$/.test(label)) complain(`the label ${label}`);
      // Node's own are not a number until they are known.
      if (Number.isNaN(sample.value) && name.startsWith('tidemark_')) complain('no number');
    }
  }
  return problems;
}
