import { SalesforceError } from '../org/types.ts';

/** Errors of queries, worded and laid out as Salesforce does, so that clients which pick them apart find what they seek. */

const contextBefore = 33;
const contextAfter = 30;

/**
 * The lines that show where in the query the trouble is:
 * a piece of the query, a caret under the token, `ERROR at Row:1:Column:8`. How much is shown before the token rests
 * on one recorded reply; how much after it is a guess.
 */
function preamble(soql: string, token: string): string {
  const line = soql.replaceAll(/[\r\n\t]/g, ' ');
  const at = positionOf(line, token);
  if (at < 0) return '';
  let start = Math.max(0, at - contextBefore);
  if (start > 0) while (start < at && !/[\s,(]/.test(line[start - 1]!)) start++;
  const end = Math.min(line.length, at + token.length + contextAfter);
  return `\n${line.slice(start, end)}\n${' '.repeat(at - start)}^\nERROR at Row:1:Column:${at + 1}\n`;
}

function positionOf(soql: string, token: string): number {
  const bare = token.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return soql.search(new RegExp(`(?<![\\w.])${bare}(?!\\w)`, 'i'));
}

const wsdl = 'Please reference your WSDL or the describe call for the appropriate names.';

export function noSuchColumn(soql: string, token: string, name: string, entity: string): SalesforceError {
  const message = `No such column '${name}' on entity '${entity}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. ${wsdl}`;
  return new SalesforceError('INVALID_FIELD', preamble(soql, token) + message);
}

export function noSuchRelationship(soql: string, token: string, name: string): SalesforceError {
  const message = `Didn't understand relationship '${name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. ${wsdl}`;
  return new SalesforceError('INVALID_FIELD', preamble(soql, token) + message);
}

export function noSuchType(soql: string, name: string): SalesforceError {
  const message = `sObject type '${name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. ${wsdl}`;
  return new SalesforceError('INVALID_TYPE', preamble(soql, name) + message);
}

export function noSuchChildren(soql: string, name: string): SalesforceError {
  const message = `Didn't understand relationship '${name}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. ${wsdl}`;
  return new SalesforceError('INVALID_TYPE', preamble(soql, name) + message);
}

export function invalidField(soql: string, token: string, message: string): SalesforceError {
  return new SalesforceError('INVALID_FIELD', preamble(soql, token) + message);
}

export function invalidOperator(soql: string, token: string, message: string): SalesforceError {
  return new SalesforceError('INVALID_QUERY_FILTER_OPERATOR', preamble(soql, token) + message);
}

export function malformed(message: string): SalesforceError {
  return new SalesforceError('MALFORMED_QUERY', message);
}

export function unexpectedToken(soql: string, token: string): SalesforceError {
  return malformed(`${preamble(soql, token)}unexpected token: '${token || '<EOF>'}'`);
}
