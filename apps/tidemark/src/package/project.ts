import { channelOf, selectionFiles } from '@tidemark/connector-salesforce/metadata';
import { flowFile } from './flow-file.ts';
import { Names } from './names.ts';
import { eventFiles, objectFiles } from './object-files.ts';
import { permissionSetFile } from './permission-set-file.ts';
import type { PackagePlan } from './plan-package.ts';
import { readmeFile } from './readme.ts';
import { workflowFile } from './workflow.ts';
import { component } from './xml.ts';

const packaged = 'force-app/main/default';
const apart = 'org-access/main/default';

/** The project, file by file. The same plan gives the same bytes. */
export function projectFiles(plan: PackagePlan): ReadonlyMap<string, string> {
  const { name, developerName, apiVersion, objects, events, flows, namespace } = plan;
  const names = new Names(namespace);
  const files = new Map<string, string>();
  for (const object of objects) for (const [path, text] of objectFiles(object)) files.set(`${packaged}/${path}`, text);
  for (const event of events) for (const [path, text] of eventFiles(event)) files.set(`${packaged}/${path}`, text);
  for (const [flow, each] of flows) {
    const fields = events.find((event) => event.name === each.event)?.fields ?? new Map();
    files.set(`${packaged}/flows/${flow}.flow-meta.xml`, flowFile(flow, each, { fields, names, apiVersion }));
  }
  const description = 'Everything of this package that Tidemark reads and writes. Written by tidemark package.';
  files.set(
    `${packaged}/permissionsets/${developerName}.permissionset-meta.xml`,
    permissionSetFile({ label: name, description }, plan.packaged),
  );
  for (const [path, text] of channelFiles(plan)) files.set(path, text);
  const label = `${name} (org)`;
  const rest = 'What Tidemark reads and writes besides the package, and the right to call the API. Written by tidemark package.';
  files.set(
    `${apart}/permissionsets/${developerName}_Org.permissionset-meta.xml`,
    permissionSetFile({ label, description: rest, users: ['ApiEnabled'] }, plan.org),
  );
  files.set('sfdx-project.json', json(projectSettings(plan)));
  files.set('config/project-scratch-def.json', json({ orgName: `${name} scratch`, edition: 'Developer', hasSampleData: false }));
  files.set('.forceignore', forceignore);
  files.set('.github/workflows/package.yml', workflowFile(plan));
  files.set('README.md', readmeFile(plan));
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Objects that are captured, and the channel unless it is Salesforce's own. */
function* channelFiles({ live, channel, apiVersion }: PackagePlan): Iterable<readonly [string, string]> {
  const kind = channelOf(channel);
  if (live.length === 0 || kind.kind !== 'members') return;
  for (const [path, text] of selectionFiles(channel, live, apiVersion)) if (path.startsWith(`${packaged}/`)) yield [path, text];
  if (!kind.name.endsWith('__chn')) return;
  const label = kind.name.replace(/__chn$/, '').replaceAll('_', ' ');
  const text = component('PlatformEventChannel', { channelType: 'data', label });
  yield [`${packaged}/platformEventChannels/${kind.name}.platformEventChannel-meta.xml`, text];
}

function projectSettings({ name, namespace, apiVersion }: PackagePlan): object {
  return {
    packageDirectories: [
      { path: 'force-app', default: true, package: name, versionName: 'Version 0.1', versionNumber: '0.1.0.NEXT' },
      { path: 'org-access' },
    ],
    name: name.toLowerCase().replace(/\W+/g, '-'),
    namespace: namespace ?? '',
    sfdcLoginUrl: 'https://login.salesforce.com',
    sourceApiVersion: apiVersion,
    packageAliases: {},
  };
}

const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`;

const forceignore = `# What is no metadata, though it lies in a package's folder.
**/.*
**/README.md
**/jsconfig.json
**/tsconfig.json
`;
