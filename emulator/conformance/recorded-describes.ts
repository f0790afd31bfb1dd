import type { RecordedOrg } from './recorded-org.ts';
import type { Recording } from './recording.ts';
import { compareOrder, compareStructure } from './structure.ts';

/** Recorded describes and the version that each was asked for with. */
const describes: readonly { file: string; object: string; version: string }[] = [
  ...['Account', 'Campaign', 'Contact', 'Lead'].map((object) => ({ file: `${object}.v42`, object, version: 'v42.0' })),
  ...['Account', 'Case', 'Contact', 'Event', 'Opportunity'].map((object) => ({
    file: `cumulusci-${object}`,
    object,
    version: 'v52.0',
  })),
];

interface Described {
  fields: { name: string; custom: boolean; type: string }[];
}

export async function compareDescribes(recording: Recording, { request }: RecordedOrg): Promise<void> {
  for (const { file: name, object, version } of describes) {
    const file = `describe/${name}.json`;
    const recorded: Described = recording.json(file);
    const { json: ours } = await request('GET', `/services/data/${version}/sobjects/${object}/describe`);
    recording.alike(file, recorded, ours);
    const standard = ({ fields }: Described) => fields.filter((each) => !each.custom).map((each) => each.name);
    const [theirs, here] = [standard(recorded), standard(ours)];
    const missing = theirs.filter((each) => !here.includes(each));
    recording.add(missing.map((each) => ({ file, path: `fields[${each}]`, what: 'missing here' })));
    const extra = here.filter((each) => !theirs.includes(each));
    recording.add(extra.map((each) => ({ file, path: `fields[${each}]`, what: 'only here' })));
    recording.add(compareOrder(file, 'fields', theirs, here));
    for (const { name: field, type } of recorded.fields) {
      const twin = (ours as Described).fields.find((each) => each.name === field);
      if (twin) recording.equal(file, `fields[${field}].type`, type, twin.type);
    }
  }
  const file = 'describe/cumulusci-_describeGlobal.json';
  const { json } = await request('GET', '/services/data/v52.0/sobjects');
  recording.add(compareStructure(file, recording.json(file), json));
}
