import { expect } from 'vitest';

/** What each example prints, wherever it runs. */
export const EXAMPLES: { readonly [name: string]: (lines: readonly string[]) => void } = {
  'one-kernel': (lines) => expect(lines).toEqual(['-1.342 -0.447 0.447 1.342 -1.342 -0.447 0.447 1.342']),
  product: (lines) => expect(lines).toEqual(['1 2 3 3 4 7']),
  'own-kernel/reflected': (lines) => expect(lines).toEqual(['2 4 6 8', '-1 -2 -3 8']),
  'own-kernel/embedded': (lines) => expect(lines).toEqual(['3 6']),
  'own-network': (lines) => {
    const losses = lossesOf(lines);
    expect(losses[2]).toBeLessThan(0.75 * (losses[0] as number));
    expect(lines.slice(3)).toEqual(['##..   ####', '##..   ####', '##..   ....', '##..   ....']);
  },
  session: (lines) => {
    const losses = lossesOf(lines);
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(0.9 * (losses[0] as number));
    expect(lines[3]).toBe('drawn 512, the same from the file: true');
  },
  train: (lines) => {
    const losses = lossesOf(lines);
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(0.7 * (losses[0] as number));
    const bars = lines.filter((line) => /^.{8} {3}.{3}[+#]{2}.{3}$/.test(line)); // the second picture: a bar of two columns
    expect(bars.length, lines.join('\n')).toBeGreaterThanOrEqual(7);
  },
};

export const lossesOf = (lines: readonly string[]) =>
  lines.flatMap((line) => /loss ([\d.]+)$/.exec(line)?.[1] ?? []).map(Number);

/**
 * Examples that train for longer than a page's software adapter should: the line up to which they run there, and the loss that is
 * well below that of an untrained network, 0.9.
 */
export const PARTS: readonly (readonly [name: string, last: RegExp, loss: number])[] = [
  ['own-network', /^step 200 /, 0.8],
  ['train', /^step 50 /, 0.85],
  ['session', /^step 40 /, 1.2],
];
