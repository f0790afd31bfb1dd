import { AccessDeniedError, RequestRefusedError, TransientError } from '@tidemark/core';

/** What keeps a load beside its file fails for the reasons that files fail for. */
const sqliteCodes: { readonly [code: number]: string } = {
  3: 'EPERM', // SQLITE_PERM
  5: 'EBUSY',
  8: 'EROFS', // SQLITE_READONLY
  10: 'EIO', // SQLITE_IOERR
  13: 'ENOSPC', // SQLITE_FULL
  14: 'EACCES', // SQLITE_CANTOPEN
};

/** The file system's errors as ours; others come back as they are. */
export function fileError(error: unknown, name: string): unknown {
  const { code, message, errcode } = (error ?? {}) as { code?: unknown; message?: unknown; errcode?: unknown };
  switch (code === 'ERR_SQLITE_ERROR' ? sqliteCodes[Number(errcode) & 0xff] : code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new RequestRefusedError(`${name}: there is no such file`, {
        cause: error,
        hint: 'look at file and at the folder of the connection',
      });
    case 'EISDIR':
      return new RequestRefusedError(`${name} is a folder`, { cause: error, hint: 'name a file' });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new AccessDeniedError(`${name}: ${String(message)}`, {
        cause: error,
        hint: 'give this user the right to the file and its folder',
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new TransientError(`${name}: the disk is full`, { cause: error, hint: 'make room; nothing is lost meanwhile' });
    case 'EIO':
    case 'EBUSY':
    case 'EMFILE':
    case 'ENFILE':
      return new TransientError(`${name}: ${String(message)}`, { cause: error });
    default:
      return error;
  }
}

/** A line that cannot be read as a record. Reading on would take a part of the file for the whole. */
export function badLine(name: string, line: number, why: string): RequestRefusedError {
  return new RequestRefusedError(`${name}, line ${line}: ${why}`, { hint: 'mend the line; nothing of it was taken over' });
}
