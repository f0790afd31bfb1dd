import type { PackagePlan } from './plan-package.ts';

/** What whoever keeps the package, and whoever installs it, has to know. */
export function readmeFile(plan: PackagePlan): string {
  const { name, developerName, namespace, objects, events, flows, live, notes } = plan;
  const kind = namespace === null ? 'Unlocked' : 'Managed';
  const listed = [
    ...objects.map(
      ({ name: object, made, fields }) =>
        `${made === null ? 'Fields of' : 'Object'} \`${object}\`: ${ticked([...fields.keys()])}`,
    ),
    ...events.map(({ name: event, fields }) => `Platform event \`${event}\`: ${ticked([...fields.keys()])}`),
    ...[...flows].map(([flow, { event, object }]) => `Flow \`${flow}\`: publishes \`${event}\` for records of \`${object}\``),
    ...(live.length === 0 ? [] : [`Change Data Capture of ${ticked(live)}`]),
    `Permission set \`${developerName}\`: all of the above`,
  ];
  return `# ${name}

The Salesforce side of a sync, written by \`tidemark package\` from its configuration. Files that you change stay as they are: the next
\`tidemark package\` tells what differs, and writes over it with \`--force\` only.

${listed.map((line) => `- ${line}`).join('\n')}

\`org-access/\` is not part of the package: a package lets nobody see standard objects or call the API. Its permission set
\`${developerName}_Org\` does, and is deployed into each org by its administrator.
${notes.length === 0 ? '' : `\n${notes.map((note) => `- ${note}`).join('\n')}\n`}
## Try it in a scratch org

\`\`\`sh
sf org create scratch --definition-file config/project-scratch-def.json --alias ${developerName.toLowerCase()} --set-default
sf project deploy start --source-dir force-app --source-dir org-access
sf org assign permset --name ${developerName} --name ${developerName}_Org
\`\`\`

## Make the package, once
${namespace === null ? '' : `\nThe namespace \`${namespace}\` has to be linked to the Dev Hub.\n`}
\`\`\`sh
sf package create --name "${name}" --package-type ${kind} --path force-app --target-dev-hub <hub>
git add sfdx-project.json        # keeps the package's id
\`\`\`

## A version of it

\`.github/workflows/package.yml\` makes one of each push to main, and tells its link. By hand:

\`\`\`sh
sf package version create --package "${name}" --installation-key-bypass --code-coverage --wait 60
sf package version promote --package <04t…>     # before customers install it in production
\`\`\`

## Install it

1. Open the link as an administrator, with the version's id in place of \`04t…\`:
   - production: \`https://login.salesforce.com/packaging/installPackage.apexp?p0=04t…\`
   - sandbox: \`https://test.salesforce.com/packaging/installPackage.apexp?p0=04t…\`
2. Deploy the rest: \`sf project deploy start --source-dir org-access --target-org <org>\`
3. Give both to the user that Tidemark signs in with:
   \`sf org assign permset --name ${namespace === null ? '' : `${namespace}__`}${developerName} --name ${developerName}_Org --target-org <org>\`
4. \`tidemark check\` names what is still missing.
`;
}

const ticked = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');
