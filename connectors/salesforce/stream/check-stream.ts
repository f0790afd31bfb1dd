import type { StreamProblem, StreamSpec } from '@tidemark/core';
import { readAllowances } from '../allowances.ts';
import type { Client } from '../client.ts';
import { changeEventName, channelOf, objectsMax, readSelection, type Selection, unselected } from './selection.ts';

/** What keeps a live sync from hearing all that it listens for, besides the connection itself. */
export async function streamProblems(
  client: Client,
  place: string,
  topic: string,
  { datasets }: Pick<StreamSpec, 'datasets'>,
): Promise<StreamProblem[]> {
  return [...(await selectionProblems(client, place, topic, datasets)), ...(await deliveryProblems(client, place))];
}

async function selectionProblems(
  client: Client,
  place: string,
  topic: string,
  datasets: readonly string[],
): Promise<StreamProblem[]> {
  const channel = channelOf(topic);
  const silent = (dataset: string, message: string, hint: string): StreamProblem => ({
    place,
    dataset,
    message,
    hint,
    severity: 'error',
  });
  if (channel.kind === 'object') {
    return datasets
      .filter((object) => changeEventName(object).toLowerCase() !== channel.event.toLowerCase())
      .map((object) =>
        silent(
          object,
          `changes of ${object} are not told on ${topic}: they come by polls only`,
          'Set channel: /data/ChangeEvents',
        ),
      );
  }
  if (channel.kind !== 'members') return [];
  const selection = await readSelection(client, channel);
  if (selection === null) {
    return [
      {
        place,
        message: `it cannot be seen which objects are selected for Change Data Capture; needed: ${datasets.join(', ')}`,
        hint: 'Give the user "View Setup and Configuration", or look yourself in Setup, Change Data Capture',
        severity: 'warning',
      },
    ];
  }
  const hint = hintFor(selection, channel.name);
  return unselected(selection, datasets).map((object) =>
    silent(object, `${object} is not selected for Change Data Capture: its changes come by polls only`, hint),
  );
}

function hintFor({ captured, members }: Selection, channel: string): string {
  const standard = channel === 'ChangeEvents';
  const where = standard ? 'Setup, Change Data Capture' : `the members of ${channel}`;
  const selected = members.length === 0 ? 'nothing is selected yet' : `selected now: ${members.join(', ')}`;
  const full = captured.length >= objectsMax ? '' : `, ${objectsMax - captured.length} more may be without an add-on`;
  const none = captured.length >= objectsMax ? `. All ${objectsMax} that an org has without an add-on are in use` : '';
  return `tidemark check --select adds it to ${where}, --write-metadata writes it for a deployment (${selected}${full})${none}`;
}

async function deliveryProblems(client: Client, place: string): Promise<StreamProblem[]> {
  const deliveries = (await readAllowances(client)).find(({ name }) => name === 'event deliveries');
  if (deliveries === undefined || deliveries.max - deliveries.used >= deliveries.max / 10) return [];
  return [
    {
      place,
      message: `${deliveries.used} of the ${deliveries.max} event deliveries that the org has in 24 hours are used up`,
      hint: 'Once they are, polls go on alone; every subscriber of every channel counts',
      severity: 'warning',
    },
  ];
}
