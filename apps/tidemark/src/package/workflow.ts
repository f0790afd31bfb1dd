import type { PackagePlan } from './plan-package.ts';

const setup = `      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: { node-version: 22 }
      - run: npm install --global @salesforce/cli@2
`;

/** The URL is a password: it goes by a file, and not by a command line. */
const login = `      - name: Log in to the Dev Hub
        env:
          DEV_HUB_AUTH_URL: \${{ secrets.DEV_HUB_AUTH_URL }}
        run: |
          printf '%s' "$DEV_HUB_AUTH_URL" > "$RUNNER_TEMP/hub"
          sf org login sfdx-url --sfdx-url-file "$RUNNER_TEMP/hub" --alias hub --set-default-dev-hub
          rm "$RUNNER_TEMP/hub"
`;

/** Runs where the project is kept: what is proposed is tried in an org of its own, what is merged becomes a version. */
export function workflowFile({ name, developerName }: PackagePlan): string {
  return `# Written by \`tidemark package\`. Needs the secret DEV_HUB_AUTH_URL: what \`sf org auth show-sfdx-auth-url\` tells of a Dev Hub.
# Versions are made once the package is (see README.md).
name: package

on:
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

concurrency: package-\${{ github.ref }}

jobs:
  validate:
    runs-on: ubuntu-latest
    timeout-minutes: 45
    steps:
${setup}      - name: Every component is read and converted
        run: |
          sf project convert source --root-dir force-app --output-dir "$RUNNER_TEMP/force-app"
          sf project convert source --root-dir org-access --output-dir "$RUNNER_TEMP/org-access"
${login}      - name: A scratch org
        run: sf org create scratch --definition-file config/project-scratch-def.json --alias ci --set-default --duration-days 1 --wait 20
      - name: Deploy
        run: |
          sf project deploy start --source-dir force-app --source-dir org-access --wait 30
          sf org assign permset --name ${developerName} --name ${developerName}_Org
      - name: Take the scratch org away
        if: always()
        run: sf org delete scratch --target-org ci --no-prompt || true

  version:
    if: github.event_name == 'push'
    needs: validate
    runs-on: ubuntu-latest
    timeout-minutes: 90
    steps:
${setup}${login}      - name: A version, and the link that installs it
        run: |
          sf package version create --package "${name}" --installation-key-bypass --code-coverage --wait 60 --json > version.json
          id=$(jq --raw-output .result.SubscriberPackageVersionId version.json)
          echo "https://login.salesforce.com/packaging/installPackage.apexp?p0=$id" >> "$GITHUB_STEP_SUMMARY"
`;
}
