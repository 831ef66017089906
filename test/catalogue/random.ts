import type { Kernel, ShaderSource } from '../../src/kernel/index.ts';
import { initParameters, randomNormal, randomUniform } from '../../src/kernels/random.ts';
import { normal, uniform01 } from '../../src/rng/philox.ts';
import { type KernelCase, prepared } from './case.ts';

const KINDS = {
  randomUniform: { prepare: (d: GPUDevice) => widened(randomUniform.prepare(d)), host: uniform01, operations: 55 },
  randomNormal: { prepare: (d: GPUDevice) => widened(randomNormal.prepare(d)), host: normal, operations: 160 },
};

const widened = <S extends ShaderSource>(kernel: Kernel<S>) => kernel as unknown as Kernel<ShaderSource>;

/** Against the host's twin, bit for bit; the host stands on published vectors and on statistics (test/rng). */
function randomCase(
  kind: keyof typeof KINDS,
  count: number,
  first = 0,
  step = 0,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { prepare, host, operations } = KINDS[kind];
  const [seed, stream] = [0xdeadbeef, 4];
  return {
    kernel: kind,
    name: `${count} from ${first}, step ${step}`,
    variant: 'philox',
    shape: [count],
    tolerance: 0,
    toleranceFrom: 'integer arithmetic: the bits of the host',
    flops: count * operations,
    bytes: count * 4,
    ...extra,
    prepare: (device) =>
      prepared(prepare(device), { count, first } as never, {
        inputs: { key: new Uint32Array([seed, stream, step, Math.floor(step / 2 ** 32)]) },
        outputs: { out: count },
        integer: ['out'],
        oracle: () => {
          const values = Float32Array.from({ length: count }, (_, i) => host(seed, stream, step, first + i));
          return { out: new Uint32Array(values.buffer) };
        },
      }),
  };
}

const LATE = 3 * 2 ** 32 + 77; // a step that does not fit 32 bits
const LAST = 2 ** 32 - 257;

/** Starting values of parameters of these sizes, one of each draw in turn, at steps that are not their places. */
function initCase(sizes: readonly number[], extra: Partial<KernelCase> = {}): KernelCase {
  const [seed, stream] = [0xdeadbeef, 3];
  const firsts: number[] = [];
  let count = 0;
  for (const size of sizes) {
    firsts.push(count);
    count += Math.ceil(size / 64) * 64;
  }
  const scales = Float32Array.from(sizes, (_, i) => (i + 1) / 7);
  const bits = new Uint32Array(scales.buffer);
  const rules = sizes.flatMap((size, i) => [firsts[i] as number, size, i % 3, bits[i] as number, 5 * i + 2]);
  return {
    kernel: 'initParameters',
    name: sizes.join(' '),
    variant: 'philox',
    shape: [count],
    tolerance: 0,
    toleranceFrom: 'integer arithmetic and one product: the bits of the host',
    flops: count * 160,
    bytes: count * 4,
    ...extra,
    prepare: (device) =>
      prepared(
        initParameters.prepare(device),
        { count, parameters: sizes.length, seed, stream },
        {
          inputs: { rules: Uint32Array.from(rules) },
          outputs: { out: count },
          integer: ['out'],
          oracle: () => {
            const values = new Float32Array(count);
            sizes.forEach((size, i) => {
              for (let j = 0; j < size; j++) {
                const step = 5 * i + 2;
                const u = [1, 2 * uniform01(seed, stream, step, j) - 1, normal(seed, stream, step, j)][i % 3] as number;
                values[(firsts[i] as number) + j] = u * (scales[i] as number);
              }
            });
            return { out: new Uint32Array(values.buffer) };
          },
        },
      ),
  };
}

const drawn: KernelCase[] = (['randomUniform', 'randomNormal'] as const).flatMap((kind) => [
  randomCase(kind, 3, 0, 0, { smoke: true }),
  randomCase(kind, 1),
  randomCase(kind, 257, 1, LATE),
  randomCase(kind, 257, LAST, 5),
  randomCase(kind, 514, 255, 2 ** 32 - 1),
  randomCase(kind, 100003, 2, 12),
  randomCase(kind, 1 << 22, 0, 1, { benchOnly: true }),
]);

export const randomCases: KernelCase[] = [
  ...drawn,
  initCase([3, 5, 2], { smoke: true }),
  initCase([1]),
  initCase([64, 128, 4096, 1, 257, 1023, 64, 65]),
  initCase([10, 1 << 21, 1 << 21], { benchOnly: true }),
];
