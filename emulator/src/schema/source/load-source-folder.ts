import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import type { FieldDeclaration } from '../fields.ts';
import { nextKeyPrefix } from '../key-prefix.ts';
import { isPlatformEvent } from '../platform-event.ts';
import type { ChildLink, FieldDescribe, ObjectDescribe, PicklistValue, Schema } from '../types.ts';
import { type CalculatedSource, describeRollUp, readValidationRule, type ValidationRuleSource } from './calculations.ts';
import { type CustomField, readCustomField } from './custom-field.ts';
import { nextCustomKeyPrefix, readCustomObject } from './custom-object.ts';
import { type ChannelSource, joinChannels, type ReadMember, readChannel, readChannelMember } from './event-channels.ts';
import { type FlowSource, readFlow } from './flow.ts';
import { ordered, readValues, setValidFor } from './picklist-values.ts';
import { type PlatformEventSource, platformEventFields, readPlatformEvent } from './platform-event.ts';
import { SourceFolderError, type SourceNote, SourceProblem } from './problems.ts';
import { type Element, parseMetadata } from './xml.ts';

export interface LoadedSource {
  /** Custom objects that were added, by API name. */
  objects: string[];
  /** Custom fields that were added, as `Account.Rating__c`. */
  fields: string[];
  /** Platform events that were added; their fields are in `fields`. */
  platformEvents: PlatformEventSource[];
  /** Custom channels of change events or platform events. */
  channels: ChannelSource[];
  /** Change events selected for the standard channel, as `AccountChangeEvent`. */
  selectedChangeEvents: string[];
  /** Formula fields and roll-ups: the schema has their fields, who calculates them is told here. */
  calculated: CalculatedSource[];
  validationRules: ValidationRuleSource[];
  /** Record-triggered flows that are active. */
  flows: FlowSource[];
  /** Everything in the folder that was left out or behaves differently from a real org. */
  notes: SourceNote[];
}

/** What a folder says of one object, from all its files. */
interface ObjectSource {
  name: string;
  /** Where the object is defined; absent when only fields are given. */
  definition?: Element;
  fields: { name: string; element: Element }[];
  validationRules: Element[];
}

/**
 * Takes custom objects and fields over from a folder in sfdx source format (decomposed, or objects with inline fields) or
 * in metadata format (`*.object`), wherever in the folder they are.
 *
 * A folder is taken over whole or not at all. What a real org knows and this one does not is reported in `notes`.
 * @throws {SourceFolderError} names every wrong file with the element.
 */
export function loadSourceFolder(schema: Schema, folder: string): LoadedSource {
  const notes: SourceNote[] = [];
  const problems: SourceNote[] = [];
  /** One wrong file does not keep the next from being looked at. */
  const collecting = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof SourceProblem)) throw error;
      problems.push(error.note);
      return undefined;
    }
  };

  const { objects, globals, channels, members, flows } = readFiles(folder, notes, collecting);
  const joined = joinChannels(channels, members, collecting);
  const platformEvents: PlatformEventSource[] = [];
  const additions: { object: ObjectDescribe; links: Record<string, ChildLink>; isNew: boolean; fields: CustomField[] }[] = [];
  const taken = new Set<string>();
  const validationRules: ValidationRuleSource[] = [];
  for (const source of objects) {
    const unsupported = unsupportedKind(source.name);
    const known = schema.object(source.name);
    const file = (source.definition ?? source.fields[0]?.element ?? source.validationRules[0]!).file;
    if (unsupported !== undefined) {
      notes.push({ file, element: '', message: `${source.name} is ${unsupported}, which is not supported yet: left out` });
      continue;
    }
    if (!known && !source.name.endsWith('__c') && !isPlatformEvent(source.name)) {
      notes.push({ file, element: '', message: `${source.name} is not an object of this org: left out` });
      continue;
    }
    if (!known && !source.definition) {
      const what = source.fields.length > 0 ? 'a field' : 'a validation rule';
      problems.push({ file, element: '', message: `is ${what} of ${source.name}, which neither the folder nor the org defines` });
      continue;
    }
    for (const element of source.validationRules) {
      const rule = collecting(() => readValidationRule(element, source.name));
      if (rule) validationRules.push(rule);
    }
    const readFields = source.fields.flatMap(({ name, element }) => {
      if (!name.endsWith('__c')) {
        notes.push({ file: element.file, element: '', message: `${name} is a standard field: its settings are not used` });
        return [];
      }
      const field = collecting(() => readCustomField(element, name, globals));
      if (!field) return [];
      for (const note of field.notes) notes.push({ file: element.file, ...note });
      return [field];
    });
    const fields = isPlatformEvent(source.name) ? platformEventFields(readFields, notes) : readFields;
    const declarations = fields.flatMap((field) => field.declarations);
    if (known && !known.custom) {
      const settings = source.definition?.unread() ?? [];
      if (settings.length > 0) {
        notes.push({ file, element: '', message: `settings of a standard object are not used: ${settings.join(', ')}` });
      }
      if (declarations.length > 0) {
        const object = { ...known, fields: declarations.map((declared) => declared.describe) };
        additions.push({ object, links: linksOf(declarations), isNew: false, fields });
      }
      continue;
    }
    if (!source.definition) {
      const object = { ...known!, fields: declarations.map((declared) => declared.describe) };
      additions.push({ object, links: linksOf(declarations), isNew: false, fields });
      continue;
    }
    const definition = source.definition;
    if (isPlatformEvent(source.name)) {
      const prefix = known?.keyPrefix ?? nextKeyPrefix(schema, 'e', taken);
      taken.add(prefix);
      const read = collecting(() => readPlatformEvent(definition, source.name, prefix, declarations));
      if (!read) continue;
      notes.push(...read.notes);
      platformEvents.push(read.event);
      additions.push({ ...read.declaration, links: { ...read.declaration.links }, isNew: !known, fields });
      continue;
    }
    const prefix = known?.keyPrefix ?? nextCustomKeyPrefix(schema, taken);
    taken.add(prefix);
    const read = collecting(() => readCustomObject(definition, source.name, prefix, declarations));
    if (!read) continue;
    notes.push(...read.notes);
    additions.push({ ...read.declaration, links: { ...read.declaration.links }, isNew: !known, fields });
  }

  for (const { object, fields } of additions) {
    for (const field of fields) collecting(() => resolveDependent(object, field, schema));
    noteUnknownTargets(additions, schema, fields, notes);
  }
  if (problems.length > 0) throw new SourceFolderError(folder, problems);
  const fieldOf = (object: string, name: string) =>
    additions
      .find((addition) => addition.object.name.toLowerCase() === object.toLowerCase())
      ?.object.fields.find((field) => field.name.toLowerCase() === name.toLowerCase()) ?? schema.field(object, name);
  for (const { fields } of additions) for (const field of fields) describeRollUp(field, fieldOf);
  for (const { object, links } of additions) schema.add(object, links);
  return {
    objects: additions.filter(({ isNew }) => isNew).map(({ object }) => object.name),
    fields: additions.flatMap(({ object, fields }) =>
      fields.flatMap((field) => field.declarations.map(({ describe }) => `${object.name}.${describe.name}`)),
    ),
    calculated: additions.flatMap(({ object, fields }) =>
      fields.flatMap(({ file, declarations, calculation }) =>
        calculation ? [{ object: object.name, field: declarations[0]!.describe.name, file, calculation }] : [],
      ),
    ),
    validationRules,
    flows,
    platformEvents,
    channels: joined.channels,
    selectedChangeEvents: joined.selected,
    notes,
  };
}

/** What another part of the emulator takes from the folder, and pages, of which no API tells. */
const readElsewhere = /\.(permissionset|profile|layout)-meta\.xml$/;

/** Kinds of objects by the end of their name. */
function unsupportedKind(name: string): string | undefined {
  if (name.endsWith('__mdt')) return 'a custom metadata type';
  if (name.endsWith('__b')) return 'a big object';
  if (name.endsWith('__x')) return 'an external object';
  if (name.endsWith('__kav')) return 'a knowledge article type';
  return undefined;
}

function linksOf(declarations: readonly FieldDeclaration[]): Record<string, ChildLink> {
  return Object.fromEntries(declarations.flatMap(({ describe, link }) => (link ? [[describe.name, link]] : [])));
}

/** A dependent picklist's bitmaps need the values of its controller, which may be a standard field. */
function resolveDependent(object: ObjectDescribe, { file, declarations, picklist }: CustomField, schema: Schema): void {
  const describe = declarations[0]!.describe;
  if (!picklist || picklist.controller === null) return;
  const byName = (field: FieldDescribe) => field.name.toLowerCase() === picklist.controller!.toLowerCase();
  const controller = object.fields.find(byName) ?? schema.field(object.name, picklist.controller);
  if (!controller) {
    throw new SourceProblem({
      file,
      element: 'CustomField.valueSet.controllingField',
      message: `names ${picklist.controller}, which ${object.name} does not have`,
    });
  }
  setValidFor(describe, controller, picklist.allowedBy);
}

function noteUnknownTargets(
  additions: readonly { object: ObjectDescribe }[],
  schema: Schema,
  fields: readonly CustomField[],
  notes: SourceNote[],
): void {
  const known = (name: string) => schema.object(name) !== undefined || additions.some(({ object }) => object.name === name);
  for (const { file, declarations } of fields) {
    for (const target of declarations.flatMap(({ describe }) => describe.referenceTo)) {
      if (known(target)) continue;
      notes.push({
        file,
        element: 'CustomField.referenceTo',
        message: `names ${target}, which this org does not hold: the field takes ids and cannot be followed`,
      });
    }
  }
}

/** Reads and parses every file of interest. `collecting` keeps the problems. */
function readFiles(
  folder: string,
  notes: SourceNote[],
  collecting: <T>(work: () => T) => T | undefined,
): {
  objects: ObjectSource[];
  globals: Map<string, PicklistValue[]>;
  channels: ChannelSource[];
  members: ReadMember[];
  flows: FlowSource[];
} {
  const objects = new Map<string, ObjectSource>();
  const globals = new Map<string, PicklistValue[]>();
  const channels: ChannelSource[] = [];
  const members: ReadMember[] = [];
  const flows: FlowSource[] = [];
  const addField = (object: ObjectSource, name: string, element: Element) => {
    const twin = object.fields.find((other) => other.name.toLowerCase() === name.toLowerCase());
    if (twin) throw element.problem('fullName', `is ${name}, which ${twin.element.file} declares too`);
    object.fields.push({ name, element });
  };
  const objectOf = (name: string): ObjectSource => {
    const source = objects.get(name) ?? { name, fields: [], validationRules: [] };
    objects.set(name, source);
    return source;
  };
  const ignored = new Map<string, { file: string; count: number }>();

  for (const file of listFiles(folder)) {
    const parts = file.split('/');
    const name = parts.at(-1)!;
    const parse = (root: string) => parseMetadata(file, readFileSync(join(folder, file), 'utf8'), root);
    const objectFile = /^(.+)\.object(?:-meta\.xml)?$/.exec(name);
    if (objectFile) {
      collecting(() => {
        const element = parse('CustomObject');
        const source = objectOf(objectFile[1]!);
        if (source.definition) throw element.problem('', `defines ${source.name}, as ${source.definition.file} does`);
        source.definition = element;
        for (const inline of element.children('fields')) {
          collecting(() => addField(source, inline.requiredText('fullName'), inline));
        }
        source.validationRules.push(...element.children('validationRules'));
      });
    } else if (name.endsWith('.field-meta.xml')) {
      collecting(() => {
        const element = parse('CustomField');
        const fullName = element.requiredText('fullName');
        if (`${fullName}.field-meta.xml` !== name) throw element.problem('fullName', `is ${fullName}, unlike the file's name`);
        const object = parts.at(-3);
        if (object === undefined || parts.at(-2) !== 'fields') throw element.problem('', 'is not in a folder <object>/fields');
        addField(objectOf(object), fullName, element);
      });
    } else if (name.endsWith('.validationRule-meta.xml')) {
      collecting(() => {
        const element = parse('ValidationRule');
        const object = parts.at(-3);
        if (object === undefined || parts.at(-2) !== 'validationRules') {
          throw element.problem('', 'is not in a folder <object>/validationRules');
        }
        objectOf(object).validationRules.push(element);
      });
    } else if (/\.globalValueSet(-meta\.xml)?$/.test(name)) {
      collecting(() => {
        const element = parse('GlobalValueSet');
        const values = ordered(element, readValues(element.children('customValue')));
        globals.set(name.replace(/\.globalValueSet(-meta\.xml)?$/, ''), values);
      });
    } else if (/\.platformEventChannel(-meta\.xml)?$/.test(name)) {
      collecting(() => channels.push(readChannel(parse('PlatformEventChannel'), name.replace(/\.platformEventChannel.*$/, ''))));
    } else if (/\.platformEventChannelMember(-meta\.xml)?$/.test(name)) {
      collecting(() => members.push(readChannelMember(parse('PlatformEventChannelMember'))));
    } else if (/\.flow(-meta\.xml)?$/.test(name)) {
      collecting(() => {
        const flow = readFlow(parse('Flow'), name.replace(/\.flow.*$/, ''));
        if (typeof flow === 'string') notes.push({ file, element: 'Flow', message: `${flow}: left out` });
        else if (flow) flows.push(flow);
      });
    } else if (name.endsWith('-meta.xml') && !readElsewhere.test(name)) {
      const kind = /\.([^.]+)-meta\.xml$/.exec(name)?.[1] ?? 'unknown';
      const seen = ignored.get(kind);
      if (seen) seen.count++;
      else ignored.set(kind, { file, count: 1 });
    }
  }
  for (const [kind, { file, count }] of ignored) {
    const more = count === 1 ? '' : ` (and ${count - 1} more of this kind)`;
    notes.push({ file, element: '', message: `metadata of type ${kind} is not supported: left out${more}` });
  }
  const sorted = [...objects.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { objects: sorted, globals, channels, members, flows };
}

/** Relative paths with `/`, in a stable order; dot folders and dependencies are not source. */
export function listFiles(folder: string): string[] {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw new SourceFolderError(folder, [{ file: folder, element: '', message: found ? 'is not a folder' : 'does not exist' }]);
  }
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(folder, join(entry.parentPath, basename(entry.name)))
        .split(sep)
        .join('/'),
    )
    .filter((file) => !file.split('/').some((part) => part.startsWith('.') || part === 'node_modules'))
    .sort();
}
