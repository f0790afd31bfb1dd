import type { AvroField, AvroNamed, AvroRecord, AvroType } from './avro-schema.ts';
import type { AvroWriter } from './avro-writer.ts';
import type { EventRecord } from './record-codec.ts';

type Write = (value: unknown) => void;

/** Writes a record's fields one after the other; what is absent is null. */
export function recordWriter(writer: AvroWriter, fields: readonly AvroField[]): (record: EventRecord) => void {
  return writerOf(writer, fields, new Map());
}

/** @param named  Records that were defined before, which schemas name instead of repeating them. */
function writerOf(writer: AvroWriter, fields: readonly AvroField[], named: Map<string, Write>): (record: EventRecord) => void {
  const parts = fields.map(({ name, type }) => ({ name, write: valueWriter(writer, type, named) }));
  return (record) => {
    for (const { name, write } of parts) write(record[name] ?? null);
  };
}

function valueWriter(writer: AvroWriter, type: AvroType, named: Map<string, Write>): Write {
  if (Array.isArray(type)) return unionWriter(writer, type as readonly AvroType[], named);
  if (typeof type !== 'string') return namedWriter(writer, type as AvroNamed, named);
  switch (type) {
    case 'string':
      return (value) => writer.string(value as string);
    case 'int':
    case 'long':
      return (value) => writer.long(value as number);
    case 'double':
      return (value) => writer.double(value as number);
    case 'boolean':
      return (value) => writer.byte(value === true ? 1 : 0);
    default: {
      const known = named.get(type);
      if (!known) throw new TypeError(`events have no fields of type ${type}`);
      return known;
    }
  }
}

/** Null first, then what a value may be: one type, or a text and a record, which are told apart by the value. */
function unionWriter(writer: AvroWriter, [, ...types]: readonly AvroType[], named: Map<string, Write>): Write {
  const writes = types.map((type) => valueWriter(writer, type, named));
  return (value) => {
    if (value === null) {
      writer.byte(0);
      return;
    }
    const branch = writes.length > 1 && typeof value === 'object' ? 1 : 0;
    writer.long(branch + 1);
    writes[branch]!(value);
  };
}

function namedWriter(writer: AvroWriter, type: AvroNamed, named: Map<string, Write>): Write {
  if (type.type !== 'record') throw new TypeError(`events have no fields of type ${type.type}`);
  const { name, fields } = type as AvroRecord;
  const write = writerOf(writer, fields, named) as Write;
  named.set(name, write);
  return write;
}
