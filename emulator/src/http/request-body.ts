import { gunzipSync } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { SalesforceError } from '../org/types.ts';
import { badRequest } from './errors.ts';

/** Zipped or not. */
export const bodyBytesMax = 64 * 1024 * 1024;

/** The body's bytes, unzipped if they came zipped. */
export function bodyBytes(request: FastifyRequest): Buffer {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (body.length === 0 || request.headers['content-encoding'] !== 'gzip') return body;
  try {
    return gunzipSync(body, { maxOutputLength: bodyBytesMax });
  } catch {
    throw badRequest('INVALID_INPUT', 'The request body is not valid gzip');
  }
}

/** @throws {SalesforceError} `JSON_PARSER_ERROR`; 415 when the body claims to be something else. */
export function jsonBody(request: FastifyRequest): unknown {
  const text = bodyBytes(request).toString();
  if (text === '') return undefined;
  const type = request.headers['content-type'] ?? 'application/json';
  if (!/json/i.test(type)) {
    throw new SalesforceError('UNSUPPORTED_MEDIA_TYPE', `Content type ${type} not supported.`, { httpStatus: 415 });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw badRequest('JSON_PARSER_ERROR', `${error instanceof Error ? error.message : String(error)}`);
  }
}
