import {
  linearAttentionApply,
  linearAttentionBackward,
  linearAttentionBackwardOut,
  linearAttentionBackwardState,
  linearAttentionState,
} from '../../src/kernels/linear_attention.ts';
import { linearlyAttended, linearlyAttendedGradients } from '../reference/index.ts';
import { type KernelCase, type PreparedCase, prepared } from './case.ts';
import { floats, mapCase } from './map_case.ts';

type Sizes = [batch: number, n: number, heads: number, dim: number];

const EPS = 1e-15;

/** One of the kernels, at these sizes and numbers of qkv and of the gradient. */
type Made = (
  device: GPUDevice,
  sizes: { batch: number; n: number; heads: number; dim: number },
  qkv: Float32Array<ArrayBuffer>,
  dy: Float32Array<ArrayBuffer>,
  chunk: number,
) => PreparedCase;

/** Sums over the tokens of each part, one after the other. */
const inParts = (n: number, chunk: number, of: (begin: number, end: number) => Float64Array) =>
  Array.from({ length: Math.ceil(n / chunk) }, (_, p) => [...of(p * chunk, Math.min(n, (p + 1) * chunk))]).flat();

const kernels: { readonly [name: string]: Made } = {
  linearAttentionState: (device, sizes, qkv, _dy, chunk) => {
    const { batch, n, heads, dim } = sizes;
    return prepared(
      linearAttentionState.prepare(device),
      { ...sizes, chunk },
      {
        inputs: { qkv },
        outputs: { state: Math.ceil(n / chunk) * batch * heads * (dim + 1) * dim },
        oracle: () => ({
          state: inParts(n, chunk, (begin, end) => linearlyAttended(qkv, sizes, EPS, begin, end).state),
        }),
      },
    );
  },
  linearAttentionApply: (device, sizes, qkv) => {
    const { out, state } = linearlyAttended(qkv, sizes, EPS);
    return prepared(
      linearAttentionApply.prepare(device),
      { ...sizes, eps: EPS },
      {
        inputs: { qkv, state: Float32Array.from(state) },
        outputs: { out: out.length },
        oracle: () => ({ out }),
      },
    );
  },
  linearAttentionBackwardOut: (device, sizes, qkv, dy) => {
    const { out, state, dabove } = linearlyAttendedGradients(qkv, dy, sizes, EPS);
    return prepared(
      linearAttentionBackwardOut.prepare(device),
      { ...sizes, eps: EPS },
      {
        inputs: { qkv, state: Float32Array.from(state), out: Float32Array.from(out), dy },
        outputs: { dabove: dabove.length },
        oracle: () => ({ dabove }),
      },
    );
  },
  linearAttentionBackwardState: (device, sizes, qkv, dy, chunk) => {
    const { dabove, state } = linearlyAttendedGradients(qkv, dy, sizes, EPS);
    return prepared(
      linearAttentionBackwardState.prepare(device),
      { ...sizes, chunk },
      {
        inputs: { qkv, dabove: Float32Array.from(dabove) },
        outputs: { dstate: Math.ceil(sizes.n / chunk) * state.length },
        oracle: () => ({
          dstate: inParts(
            sizes.n,
            chunk,
            (begin, end) => linearlyAttendedGradients(qkv, dy, sizes, EPS, begin, end).dstate,
          ),
        }),
      },
    );
  },
  linearAttentionBackward: (device, sizes, qkv, dy) => {
    const { dqkv, dabove, dstate, state } = linearlyAttendedGradients(qkv, dy, sizes, EPS);
    return prepared(
      linearAttentionBackward.prepare(device),
      { ...sizes },
      {
        inputs: {
          qkv,
          state: Float32Array.from(state),
          dabove: Float32Array.from(dabove),
          dstate: Float32Array.from(dstate),
        },
        outputs: { dqkv: dqkv.length },
        oracle: () => ({ dqkv }),
      },
    );
  },
};

function linearAttentionCase(
  kernel: string,
  [batch, n, heads, dim]: Sizes,
  chunk: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const tokens = batch * n * heads * dim;
  const passes = kernel.endsWith('State') ? 1 : kernel.endsWith('Out') ? 2 : 3;
  return mapCase(
    kernel,
    'heads',
    [batch, n, heads, dim],
    4 * tokens + batch * heads * (dim + 1) * dim,
    (device) =>
      (kernels[kernel] as Made)(device, { batch, n, heads, dim }, floats(3 * tokens, 1), floats(tokens, 2), chunk),
    { flops: 2 * tokens * (dim + 1) * passes, ...extra },
  );
}

export const linearAttentionCases: KernelCase[] = Object.keys(kernels).flatMap((kernel) => [
  linearAttentionCase(kernel, [2, 5, 2, 3], 5, { smoke: true }),
  linearAttentionCase(kernel, [1, 1, 1, 1], 1),
  linearAttentionCase(kernel, [1, 41, 3, 32], 16),
]);
