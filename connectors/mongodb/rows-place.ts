import type { FieldType, RowsKind, RowsSpec } from '@tidemark/core';
import type { MongodbConfig, MongodbFrom, MongodbSideSpec, MongodbTo } from './config.ts';

/** A collection, and what syncs say of its documents. */
export interface CollectionPlace {
  readonly collection: string;
  readonly key: string;
  readonly fields: Readonly<Record<string, FieldType>>;
}

export const mongodbRows: RowsKind<MongodbConfig> = {
  place(_, { as, spec }) {
    if (as === 'to') return placed({ collection: (spec as MongodbTo).collection, key: '_id', fields: {} });
    const { collection, key, fields = {}, watermark } = spec as MongodbFrom | MongodbSideSpec;
    return placed({ collection, key, fields }, watermark);
  },
};

/** Collections of ours cannot be named in a configuration. */
function placed(at: CollectionPlace, watermark: string | null = null): Omit<RowsSpec, 'mentions'> {
  return { name: at.collection, at, watermark };
}
