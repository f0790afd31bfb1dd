import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** What IANA's registries of special-purpose addresses do not let out into the internet, and what clouds answer on for their guests. */
const special4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // Azure's platform, which gives out a machine's certificates and settings, has an address that looks like any other.
  ['168.63.129.16', 32],
];

/** Within 2000::/3, outside of which nothing is public: protocols (Teredo among them), documentation, and 6to4, which wraps IPv4. */
const special6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const refused4 = new BlockList();
for (const [net, bits] of special4) refused4.addSubnet(net, bits, 'ipv4');
const refused6 = new BlockList();
for (const [net, bits] of special6) refused6.addSubnet(net, bits, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
/** IPv4 in IPv6's clothes: mapped, and as networks without IPv4 of their own reach it (NAT64). */
const wrapped6 = new BlockList();
wrapped6.addSubnet('::ffff:0:0', 96, 'ipv6');
wrapped6.addSubnet('64:ff9b::', 96, 'ipv6');

/**
 * Whether anybody in the internet reaches this address: not loopback, private, link-local, multicast, reserved, or what a cloud
 * tells its guests. What is no address is not public.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !refused4.check(address, 'ipv4');
  // A zone (`fe80::1%eth0`) belongs to addresses of one link only.
  if (!isIPv6(address) || address.includes('%')) return false;
  if (wrapped6.check(address, 'ipv6')) return isPublicAddress(wrappedAddress(address));
  return global6.check(address, 'ipv6') && !refused6.check(address, 'ipv6');
}

/** The last 32 bits as IPv4. */
function wrappedAddress(address: string): string {
  // A URL spells every address in one way: its last two groups in hexadecimal.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':').slice(-2);
  const [high, low] = groups.map((group) => Number.parseInt(group || '0', 16)) as [number, number];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
