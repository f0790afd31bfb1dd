import { SalesforceError, type Values } from '../../org/types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest } from '../errors.ts';

/** One kind of thing that Setup defines and the Tooling API writes: by its full name and its metadata. */
export interface ComponentKind {
  readonly object: string;
  rows(context: EmulatorContext): Values[];
  /** @returns its id. */
  create(component: Component, context: EmulatorContext): string;
  /** @throws {SalesforceError} also when something is changed that cannot be. */
  update(id: string, component: Component, context: EmulatorContext): void;
  remove(id: string, context: EmulatorContext): void;
}

/** What is written. An update need not name itself again. */
export interface Component {
  readonly fullName: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What every component's row has, in stored form. */
export function componentRow(id: string, names: { developerName: string; label: string; fullName: string }): Values {
  return {
    Id: id,
    DeveloperName: names.developerName,
    Language: 'en_US',
    MasterLabel: names.label,
    NamespacePrefix: null,
    ManageableState: 'unmanaged',
    FullName: names.fullName,
  };
}

export function requiredText({ metadata }: Component, name: string): string {
  const value = metadata[name];
  if (typeof value === 'string' && value !== '') return value;
  throw badRequest('REQUIRED_FIELD_MISSING', `Required fields are missing: [${name}]`, [name]);
}

export function optionalText({ metadata }: Component, name: string): string | undefined {
  const value = metadata[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw badRequest('JSON_PARSER_ERROR', `Cannot deserialize instance of string from value of ${name}`);
}

export function requiredName({ fullName }: Component): string {
  if (fullName !== undefined && fullName !== '') return fullName;
  throw badRequest('REQUIRED_FIELD_MISSING', 'Required fields are missing: [FullName]', ['FullName']);
}

/** A developer name as Setup wants it. */
export function checkName(name: string): string {
  if (/^[A-Za-z]\w{0,79}$/.test(name) && !name.includes('__') && !name.endsWith('_')) return name;
  const message =
    `The name ${name} can only contain underscores and alphanumeric characters. It must be unique, begin with a letter, ` +
    'not include spaces, not end with an underscore, and not contain two consecutive underscores.';
  throw badRequest('INVALID_FULL_NAME', message, ['FullName']);
}

export const duplicate = (name: string) =>
  badRequest('DUPLICATE_DEVELOPER_NAME', `The developer name ${name} is already in use.`, ['FullName']);

export const gone = () => new SalesforceError('NOT_FOUND', 'The requested resource does not exist', { httpStatus: 404 });

export const notUpdatable = (name: string) =>
  badRequest('INVALID_FIELD_FOR_INSERT_UPDATE', `Unable to create/update fields: ${name}.`, [name]);

/** What the event bus refuses to define, as a client is told of it. */
export function defining<T>(define: () => T): T {
  try {
    return define();
  } catch (error) {
    if (error instanceof TypeError) throw badRequest('FIELD_INTEGRITY_EXCEPTION', error.message);
    throw error;
  }
}
