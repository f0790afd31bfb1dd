import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPublicAddress } from './public-address.ts';

// What a record names must not lead into our own network: one range forgotten here is a door.
describe('an address is public only when the internet reaches it', () => {
  test.each([
    '0.0.0.0',
    '10.255.255.255',
    '100.100.100.200',
    '127.8.8.8',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.19.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:a00:1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::1:0',
    '2001::1',
    '2002:7f00:1::1',
    '2001:db8::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '127.1',
    'localhost',
    '',
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));

  test.each(['1.1.1.1', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::808:808'])(
    '%s is',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  test('IPv4 in the clothes of IPv6 is judged as itself', () =>
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const groups = address.split('.').map(Number) as [number, number, number, number];
        const hex = `${(groups[0] * 256 + groups[1]).toString(16)}:${(groups[2] * 256 + groups[3]).toString(16)}`;
        expect([`::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`].map(isPublicAddress)).toEqual(
          Array(3).fill(isPublicAddress(address)),
        );
      }),
    ));
});
