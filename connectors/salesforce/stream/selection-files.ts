import { RequestRefusedError } from '@tidemark/core';
import { channelOf, memberName, memberOf } from './selection.ts';

/**
 * The selection of objects as an sfdx project has it, for `sf project deploy start` (Metadata API Developer Guide,
 * "PlatformEventChannelMember"). Deploying a member that is there already changes nothing.
 */
export function selectionFiles(topic: string, objects: readonly string[], apiVersion: string): ReadonlyMap<string, string> {
  const channel = channelOf(topic);
  if (channel.kind !== 'members') {
    throw new RequestRefusedError(`no object is selected for the channel ${topic}`, {
      hint: 'Use /data/ChangeEvents, or a channel of the org itself, such as /data/Sales__chn',
    });
  }
  const sorted = [...objects].sort();
  const files = new Map<string, string>();
  const project = { packageDirectories: [{ path: 'force-app', default: true }], namespace: '', sourceApiVersion: apiVersion };
  files.set('sfdx-project.json', `${JSON.stringify(project, null, 2)}\n`);
  files.set(
    'package.xml',
    manifest(
      sorted.map((object) => memberName(channel.name, object)),
      apiVersion,
    ),
  );
  for (const object of sorted) {
    const { eventChannel, selectedEntity } = memberOf(channel.name, object);
    const path = `${folder}/${memberName(channel.name, object)}.platformEventChannelMember-meta.xml`;
    files.set(
      path,
      component('PlatformEventChannelMember', [
        `    <eventChannel>${eventChannel}</eventChannel>`,
        `    <selectedEntity>${selectedEntity}</selectedEntity>`,
      ]),
    );
  }
  return files;
}

const folder = 'force-app/main/default/platformEventChannelMembers';

function manifest(members: readonly string[], apiVersion: string): string {
  return component('Package', [
    '    <types>',
    ...members.map((name) => `        <members>${name}</members>`),
    '        <name>PlatformEventChannelMember</name>',
    '    </types>',
    `    <version>${apiVersion}</version>`,
  ]);
}

/** Names are API names throughout: nothing in them has to be escaped. */
function component(element: string, lines: readonly string[]): string {
  const head = `<?xml version="1.0" encoding="UTF-8"?>\n<${element} xmlns="http://soap.sforce.com/2006/04/metadata">`;
  return `${[head, ...lines, `</${element}>`].join('\n')}\n`;
}
