import type { ManagedReplay, ManagedSubscription } from '../../pubsub/managed-subscriptions.ts';
import type { EmulatorContext } from '../context.ts';
import {
  type Component,
  type ComponentKind,
  checkName,
  componentRow,
  defining,
  duplicate,
  gone,
  notUpdatable,
  optionalText,
  requiredName,
  requiredText,
} from './component.ts';

/** Managed event subscriptions (Tooling API guide, ManagedEventSubscription). */
export const subscriptions: ComponentKind = {
  object: 'ManagedEventSubscription',
  rows: ({ managedSubscriptions }) =>
    managedSubscriptions.list().map(({ id, developerName, label, topicName, defaultReplay, errorRecoveryReplay, state }) => ({
      ...componentRow(id, { developerName, label, fullName: developerName }),
      TopicName: topicName,
      DefaultReplay: defaultReplay,
      ErrorRecoveryReplay: errorRecoveryReplay,
      State: state,
      Version: null,
      Metadata: JSON.stringify({ defaultReplay, errorRecoveryReplay, label, state, topicName, urls: null, version: null }),
    })),
  create(component, { managedSubscriptions }) {
    const developerName = checkName(requiredName(component));
    if (managedSubscriptions.byName(developerName)) throw duplicate(developerName);
    const label = requiredText(component, 'label');
    const topicName = requiredText(component, 'topicName');
    return defining(() => managedSubscriptions.define({ developerName, label, topicName, ...read(component) })).id;
  },
  update(id, component, context) {
    const { developerName, topicName } = find(id, context);
    if (component.fullName !== undefined && component.fullName !== developerName) throw notUpdatable('FullName');
    const label = optionalText(component, 'label');
    const changes = {
      topicName: optionalText(component, 'topicName') ?? topicName,
      ...(label === undefined ? {} : { label }),
      ...read(component),
    };
    defining(() => context.managedSubscriptions.define({ developerName, ...changes }));
  },
  remove(id, context) {
    find(id, context);
    context.managedSubscriptions.remove(id);
  },
};

function find(id: string, { managedSubscriptions }: EmulatorContext): ManagedSubscription {
  const found = managedSubscriptions.byId(id);
  if (!found) throw gone();
  return found;
}

function read(component: Component) {
  const replay = (name: string) => {
    const value = optionalText(component, name) as ManagedReplay | undefined;
    return value === undefined ? {} : { [name]: value };
  };
  const state = optionalText(component, 'state') as ManagedSubscription['state'] | undefined;
  return { ...replay('defaultReplay'), ...replay('errorRecoveryReplay'), ...(state === undefined ? {} : { state }) };
}
