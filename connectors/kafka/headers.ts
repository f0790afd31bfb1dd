/** Headers of our messages. Others' are left alone. */
export const SYNC = 'tidemark-sync';
export const OP = 'tidemark-op';
/** The source's own modification stamp, epoch ms; absent when it keeps none. */
export const STAMP = 'tidemark-stamp';
/** Names of the fields that the message's key is made of, as JSON. */
export const KEY = 'tidemark-key';

/** In a value: the record is gone. As hooks and HTTP targets say it. */
export const DELETED = '_tidemark_deleted';
