import { describe, expect, it } from 'vitest';
import { cutPieces } from '../../src/parallel/pieces.ts';
import { FlatBuffers, FlatLayout, type ParameterSpec, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const spec = (name: string, size: number, beside?: string): ParameterSpec => ({
  name,
  shape: [size],
  ...(beside && { beside }),
});

/** Two blocks whose gates lie side by side, and the pieces of their gradients by the parameters that are in them. */
async function piecesOf(elements: number, maxBytes = 2 ** 30) {
  const specs = [
    spec('stem', 300),
    spec('0.a', 1000),
    spec('0.gate', 200, 'gates'),
    spec('0.gate.bias', 10, 'biases'),
    spec('1.a', 1000),
    spec('1.gate', 200, 'gates'),
    spec('1.gate.bias', 10, 'biases'),
    spec('head', 100),
  ];
  const workspace = new Workspace(await testDevice());
  const flat = new FlatBuffers(workspace, new FlatLayout(specs, maxBytes), 'gradient', 'gradient');
  const pieces = cutPieces(flat, 'bf16', elements, 2);
  const named = pieces.map(({ tensor, first, count }) => {
    const within = flat.layout.places.filter((place) => {
      const begin = place.offset / 4;
      return flat.chunks[place.chunk] === tensor && begin < first + count && begin + (place.shape[0] as number) > first;
    });
    return within.map(({ name }) => name).join(' ');
  });
  const counts = flat.chunks.map((tensor) => tensor.count);
  await workspace.dispose();
  return { pieces, named, counts };
}

describe('cutPieces', () => {
  it('has the pieces of later parameters first, and none with those of the first block that lie behind the last', async () => {
    const { named } = await piecesOf(32768);
    expect(named).toEqual(['1.a head', '0.gate.bias 1.gate.bias', 'stem 0.a 0.gate 1.gate']);
  });

  it('begins with short ones, which are sent last', async () => {
    const { pieces } = await piecesOf(2048);
    expect(pieces.map(({ count }) => count)).toEqual([128, 256, 512, 256, 128, 512, 960, 128, 256]);
  });

  it.each([[128], [512], [10000]])(
    'covers every number once, in pieces of %i at most that kernels bind',
    async (most) => {
      for (const maxBytes of [2 ** 30, 6144]) {
        const { pieces, counts } = await piecesOf(most, maxBytes);
        expect(counts.length).toBe(maxBytes === 6144 ? 3 : 1);
        const sent = pieces.reduce((sum, { count }) => sum + count, 0);
        expect(sent).toBe(counts.reduce((a, b) => a + b, 0));
        for (const { tensor } of pieces) {
          const own = pieces.filter((piece) => piece.tensor === tensor).sort((a, b) => a.first - b.first);
          expect(own[0]?.first).toBe(0);
          own.forEach(({ first, count, part }, i) => {
            expect(first % 64).toBe(0);
            expect(count % 64).toBe(0);
            expect(count).toBeLessThanOrEqual(most);
            expect(2 * part).toBeGreaterThanOrEqual(count);
            expect(own[i + 1]?.first ?? tensor.count).toBe(first + count);
          });
        }
      }
    },
  );
});
