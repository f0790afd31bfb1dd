import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressBelow, compilePath, isPathTemplate } from './path-template.ts';

const bases = [
  'https://api.example.com',
  'https://api.example.com/',
  'https://api.example.com:8443/v1',
  'https://api.example.com/v1/',
];
const templates = ['/{a}', '/orders/{a}', '/orders/{a}/lines/{a}', '/x{a}y', '/find?id={a}&b={a}', '/.{a}', '/{a}.'];
/** What has led parsers and servers astray, alone and mixed with anything. */
const hostile = [
  '..',
  '.',
  '/',
  '\\',
  '%2e',
  '%2f',
  '//evil.example',
  '@evil.example',
  ':80',
  '?',
  '#',
  '\u0000',
  '\r\n',
  '\ud800',
  '；',
  '℀',
  '‥',
  ' ',
  '\t',
  '',
];
const value = fc.oneof(
  fc.constantFrom(...hostile),
  fc.array(fc.constantFrom(...hostile, 'a'), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

const pathOf = (template: string, text: string) => (compilePath(template).fill(() => text) as { path: string }).path;

describe('values of a record in a path', () => {
  // A record that could choose its host would make our credentials anybody's, and us a door into our own network.
  test('never change where a request goes, only what it says there', () =>
    fc.assert(
      fc.property(fc.constantFrom(...bases), fc.constantFrom(...templates), value, (base, template, text) => {
        const filled = compilePath(template).fill(() => text);
        if ('refused' in filled) return;
        const url = addressBelow(base, filled.path);
        const expected = addressBelow(base, pathOf(template, 'a'))!;
        if (url === null) return;
        expect([url.origin, url.username, url.password, url.hash]).toEqual([expected.origin, '', '', '']);
        const shape = (pathname: string) => pathname.split('/').length;
        expect(shape(url.pathname)).toBe(shape(expected.pathname));
        expect([...url.searchParams.keys()]).toEqual([...expected.searchParams.keys()]);
        for (const each of url.searchParams.values()) expect(each).toBe(text);
      }),
      { numRuns: 2000 },
    ));

  test.each(['', null, '..', '.', '../admin', 'a/../../b', '..\\admin', 'a\u0000', '\ud800'])(
    '%j is refused, with its field',
    (text) => {
      expect(compilePath('/orders/{Id}').fill(() => text)).toEqual({
        refused: { code: 'PATH_VALUE', message: expect.stringMatching(/^Id .*\/orders\/\{Id\}$/) },
      });
    },
  );

  test('a dot that only the template makes dangerous is found when the address is made', () => {
    expect(addressBelow('https://api.example.com/v1', pathOf('/.{a}', '%2e'))?.pathname).toBe('/v1/.%252e');
    expect(addressBelow('https://api.example.com/v1', '/a/../../b')).toBeNull();
    expect(addressBelow('https://api.example.com/v1', '/%2e%2E/b')).toBeNull();
    expect(addressBelow('https://api.example.com/v1', '/a/../b')).toBeNull();
    expect(addressBelow('https://api.example.com', '@evil.example/')).toBeNull();
    expect(addressBelow('https://api.example.com', '.evil.example/')).toBeNull();
    expect(addressBelow('https://api.example.com', '//evil.example/')?.host).toBe('api.example.com');
  });
});

test.each([
  ['/', true],
  ['/a b/{x}?y={$key}', true],
  ['/{x.y}', true],
  ['a', false],
  ['@evil.example', false],
  ['/a#b', false],
  ['/a\\b', false],
  ['/../a', false],
  ['/a/%2E%2e', false],
  ['/{}', false],
  ['/{x', false],
  ['/{x y}', false],
  ['/a\nb', false],
])('%j is a template: %s', (template, expected) => expect(isPathTemplate(template)).toBe(expected));
