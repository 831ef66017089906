import type { AttentionTile } from '../../src/kernels/attention.ts';
import { attentionCase, deltaCase, type Features, type Sizes, scoresCase } from './attention_case.ts';
import type { KernelCase } from './case.ts';

const SMOKE = { smoke: true };
const BENCH = { benchOnly: true };

// Scores up to 250: exp of the bare score would overflow, and a row's weight sits on one or two keys.
const SHARP = {
  tolerance: 3e-5,
  toleranceFrom: 'f32 rounding of scores up to 250: 2 ulp of the exponent',
};

// The gradients of a softmax over one key are zero: what is compared is the rounding of a difference, absolutely.
const ONE_KEY = {
  tolerance: 4e-6,
  toleranceFrom: 'absolute f32 rounding of dout . v - delta, sums of head_dim terms, 32 ulp of 1',
};

const REALISTIC: Sizes[] = [
  [8, 12, 256, 64],
  [8, 16, 256, 72],
  [16, 16, 256, 72],
  [32, 6, 256, 64],
  [64, 3, 64, 64],
];

export const ATTENTION_KERNELS = ['attention', 'attentionBackwardQ', 'attentionBackwardKV'] as const;

/** Each feature by itself, and several together, at sizes that no tile divides. Names are part of no case. */
const FEATURES: readonly (readonly [Sizes, Features])[] = [
  [[2, 3, 13, 8], { keys: 29 }],
  [[2, 3, 29, 8], { keys: 13 }],
  [[2, 6, 11, 8], { kvHeads: 2, keys: 19 }],
  [[2, 5, 11, 8], { kvHeads: 1 }],
  [[2, 3, 13, 12], { valueDim: 20 }],
  [[2, 3, 11, 20], { valueDim: 7 }],
  [[2, 3, 37, 8], { causal: 'start' }],
  [[1, 3, 13, 8], { keys: 31, causal: 'start', offset: 18 }],
  [[1, 3, 41, 8], { keys: 23, causal: 'end', offset: -3 }], // the first 21 queries see no key
  [[3, 2, 13, 8], { keys: 31, lengths: [31, 7, 0] }],
  [[3, 2, 13, 8], { keys: 31, lengths: [1, 24, 29], causal: 'end' }],
  [[2, 3, 13, 8], { mask: ['added', 'bhn'], keys: 37 }],
  [[2, 3, 13, 8], { mask: ['added', 'h'], keys: 37 }],
  [[2, 3, 13, 8], { mask: ['boolean', 'bn'], keys: 37 }],
  [[2, 3, 13, 8], { mask: ['boolean', 'n'] }],
  [[2, 3, 13, 8], { softcap: 1.5 }],
  [
    [2, 4, 37, 12],
    {
      ...{ keys: 43, kvHeads: 2, valueDim: 9, causal: 'end', offset: 1, lengths: [43, 40] },
      ...{ mask: ['added', 'hn'], softcap: 2 },
    },
  ],
  [
    [2, 4, 37, 12],
    { keys: 43, kvHeads: 2, valueDim: 8, causal: 'start', offset: 6, lengths: [43, 11], mask: ['boolean', 'bn'] },
  ],
];

/** Heads past what tiles hold, masks of every kind of broadcasting, larger sizes: for the device's own choice. */
const MORE_FEATURES: readonly (readonly [Sizes, Features])[] = [
  [[1, 1, 1, 1], { keys: 1, causal: 'start' }],
  [[1, 2, 1, 8], { keys: 113, kvHeads: 1, lengths: [97], causal: 'end' }], // a step of decoding
  [[1, 2, 41, 256], { keys: 13 }],
  [[1, 2, 13, 8], { valueDim: 250 }],
  [[1, 2, 17, 193], { valueDim: 131, causal: 'start' }],
  [[1, 2, 113, 64], { keys: 77, mask: ['added', 'hn'] }],
];

/** The smallest tile, rolled: what llvmpipe compiles in the least time. */
export const SMALL_TILE = { kind: 'tiled', rows: 32, cols: 32, lanes: 8, rolled: true } as const;
/** As a GPU has it where heads are too large or queries too few. */
const BARE_TILE = { rows: 32 } as const;

// A query that sees one key has no gradient of q, and what is left of it is rounding; so with scores that are capped.
const CANCELS = {
  tolerance: 5e-6,
  toleranceFrom: 'f32 rounding of dout . v - delta, which cancels where few keys are seen, beside that of the others',
};

const featureCases = (all: typeof FEATURES, tile?: AttentionTile): KernelCase[] =>
  all.flatMap(([sizes, features]) =>
    ATTENTION_KERNELS.map((kernel) =>
      attentionCase(kernel, sizes, { ...features, ...(tile && { tile }) }, kernel === 'attention' ? {} : CANCELS),
    ),
  );

/** The features in tiles, few a kernel: each is a variant to compile. */
export const tiledFeatureCases = featureCases(
  FEATURES.filter(([, f]) => Object.keys(f).length > 4 || f.valueDim === 7 || (f.causal && !f.keys)),
  SMALL_TILE,
);

const STORED = ['attentionBackwardStored', 'attentionBackwardStoredQ'] as const;

/** Gradients by scores stored: in small tiles, also where none is asked for. */
const storedCases: KernelCase[] = STORED.flatMap((kernel) => [
  attentionCase(kernel, [2, 3, 3, 8], {}, { ...CANCELS, ...SMOKE }),
  attentionCase(kernel, [2, 4, 37, 12], { keys: 43, kvHeads: 2, valueDim: 9, softcap: 2, tile: SMALL_TILE }, CANCELS),
  attentionCase(kernel, [1, 2, 69, 8], { keys: 33, tile: SMALL_TILE }, CANCELS),
]);

/** As a GPU has them. */
const storedBench: KernelCase[] = STORED.flatMap((kernel) =>
  REALISTIC.map((sizes) => attentionCase(kernel, sizes, {}, BENCH)),
);

const HALF = { dtype: 'f16' } as const;

/** Stored as halves: plain, in tiles and with gradients by scores stored, read by fours and one by one, with all features at once. */
const halfCases: KernelCase[] = [
  ...[undefined, SMALL_TILE].flatMap((tile) =>
    featureCases(
      [
        [[2, 3, 37, 12], HALF],
        [[1, 3, 41, 9], HALF],
        [FEATURES.at(-2)![0], { ...FEATURES.at(-2)![1], ...HALF }],
      ],
      tile,
    ),
  ),
  ...STORED.flatMap((kernel) =>
    [12, 9].map((dim) => attentionCase(kernel, [2, 2, 37, dim], { keys: 43, ...HALF }, CANCELS)),
  ),
  attentionCase('attentionBackwardMask', [2, 4, 7, 6], { keys: 11, mask: ['added', 'hn'], ...HALF }, CANCELS),
  scoresCase([2, 3, 7, 8], 'weights', { keys: 11, ...HALF }),
];

/** As a GPU has them in mixed precision. */
const halfBench: KernelCase[] = [...ATTENTION_KERNELS, ...STORED].flatMap((kernel) =>
  REALISTIC.map((sizes) => attentionCase(kernel, sizes, HALF, BENCH)),
);

export const attentionCases: KernelCase[] = [
  ...storedCases,
  ...storedBench,
  ...ATTENTION_KERNELS.flatMap((kernel) => [
    attentionCase(kernel, [2, 3, 3, 8], {}, SMOKE),
    attentionCase(kernel, [2, 1, 1, 41], {}, kernel === 'attention' ? {} : ONE_KEY),
    attentionCase(kernel, [1, 2, 257, 1]),
    attentionCase(kernel, [1, 3, 41, 41], { tile: { rows: 32 } }),
    attentionCase(kernel, [2, 2, 113, 72]),
    attentionCase(kernel, [32, 4, 49, 16]), // the tiny preset's, which a CPU adapter has unrolled
    // Unrolled as a GPU has it, which llvmpipe compiles in a time that grows faster than head_dim.
    attentionCase(kernel, [1, 2, 113, 24], { tile: { rows: 64 } }),
    attentionCase(kernel, [1, 1, 257, 64]),
    attentionCase(kernel, [1, 2, 41, 128]),
    attentionCase(kernel, [3, 1, 41, 8], { scale: 20 }, SHARP),
    attentionCase(kernel, [21847, 3, 3, 2]), // 196,623 rows; 65,541 workgroups: a grid folded to two dimensions
    ...REALISTIC.map((sizes) => attentionCase(kernel, sizes, {}, BENCH)),
    attentionCase(kernel, [8, 12, 256, 64], { causal: 'start' }, BENCH),
    attentionCase(kernel, [8, 12, 256, 64], { lengths: [256, 200, 150, 100, 256, 77, 256, 30] }, BENCH),
    attentionCase(kernel, [8, 12, 256, 64], { mask: ['boolean', 'bn'] }, BENCH),
    attentionCase(kernel, [8, 12, 256, 64], { kvHeads: 3, keys: 77 }, BENCH),
  ]),
  ...featureCases(FEATURES),
  ...featureCases(MORE_FEATURES),
  ...featureCases(FEATURES.slice(-2), BARE_TILE),
  attentionCase('attentionBackwardMask', [2, 3, 5, 8], { mask: ['added', 'hn'] }, SMOKE),
  ...['', 'b', 'h', 'n', 'bhn', 'bn'].map((axes) =>
    attentionCase(
      'attentionBackwardMask',
      [2, 4, 7, 6],
      { keys: 11, kvHeads: 2, valueDim: 5, mask: ['added', axes] },
      CANCELS,
    ),
  ),
  attentionCase('attentionBackwardMask', ...FEATURES.at(-2)!, CANCELS),
  attentionCase(
    'attentionBackwardMask',
    [2, 3, 41, 64],
    { keys: 67, mask: ['added', 'hn'], causal: 'start', offset: 26 },
    CANCELS,
  ),
  scoresCase([2, 3, 3, 8], 'weights', {}, SMOKE),
  scoresCase([2, 3, 7, 8], 'product', { keys: 11 }),
  scoresCase([2, 4, 7, 5], 'capped', { keys: 11, kvHeads: 2, softcap: 2 }),
  scoresCase([2, 4, 7, 5], 'masked', { keys: 11, softcap: 2 }),
  scoresCase(FEATURES.at(-2)![0], 'weights', FEATURES.at(-2)![1]),
  scoresCase(FEATURES.at(-1)![0], 'weights', FEATURES.at(-1)![1]),
  deltaCase([2, 3, 3, 8], SMOKE),
  deltaCase([1, 1, 1, 1]),
  deltaCase([2, 3, 113, 41]),
  deltaCase([1, 3, 257, 128]),
  deltaCase([3, 7, 3121, 2]), // 65,541 rows
  deltaCase([3, 7, 9, 5], {}, { lengths: [9, 0, 4] }),
  deltaCase([3, 5, 9, 7], {}, { lengths: [9, 0, 4], dtype: 'f16' }),
  ...REALISTIC.map((sizes) => deltaCase(sizes, BENCH)),
  ...halfCases,
  ...halfBench,
];
