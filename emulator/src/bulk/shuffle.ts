/**
 * The numbers 0 to `count - 1` in an order that follows from `random`, and that is never their own: results of a Bulk job
 * come in an order of the server's, and a client that pairs them with its upload by position must not get away with it.
 */
export function shuffledIndexes(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order.every((value, index) => value === index) ? order.reverse() : order;
}
