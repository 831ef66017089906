import { qkNormRope, qkNormRopeBackward } from '../../kernels/qk_norm_rope.ts';
import { softmaxBackward, softmax as softmaxKernel } from '../../kernels/softmax.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
import { splitProduct } from './product.ts';

/**
 * Self-attention of one head of any width, as U-nets and autoencoders of images have it: softmax(scale q k^T) v with the scores stored,
 * N x N a sample. qkv [B, N, 3D] -> [B, N, D].
 */
export function wideAttention(tape: Tape, qkv: Tensor, scale?: number): Tensor {
  const { device } = tape.workspace;
  const [batch, n, width] = qkv.shape as [number, number, number];
  const dim = width / 3;
  const sharp = scale ?? 1 / Math.sqrt(dim);
  const options = { norm: 'none', affine: false, rope: false } as const;
  const heads = { batch, n, heads: 1, head_dim: dim, eps: 0 };
  const rows = { rows: batch * n, cols: n, scale: sharp };
  const [scores, out] = [
    { m: n, n, k: dim, batch },
    { m: n, n: dim, k: n, batch },
  ];
  const three = () => [0, 1, 2].map(() => tape.alloc(batch, n, dim)) as [Tensor, Tensor, Tensor];

  const [q, k, v] = three();
  tape.run(qkNormRope.prepare(device, options, { head_dim: dim }), { qkv, q, k, v }, heads);
  const raw = tape.alloc(batch, n, n);
  splitProduct(tape, 'nt', scores, q, k, raw);
  const weights = tape.alloc(batch, n, n);
  tape.run(softmaxKernel.prepare(device, {}, { cols: n }), { x: raw, y: weights }, rows);
  tape.release(raw);
  const y = tape.alloc(batch, n, dim);
  splitProduct(tape, 'nn', out, weights, v, y);
  return tape.push({
    op: 'wideAttention',
    inputs: [qkv],
    output: y,
    saved: [q, k, v, weights],
    vjp: (dy, sink) =>
      sink.give(qkv, (dqkv) => {
        const [dq, dk, dv] = three();
        splitProduct(tape, 'tn', out, weights, dy, dv); // weights^T dy
        const dweights = tape.alloc(batch, n, n);
        splitProduct(tape, 'nt', scores, dy, v, dweights);
        const dscores = tape.alloc(batch, n, n);
        tape.run(softmaxBackward.prepare(device, {}, { cols: n }), { y: weights, dy: dweights, dx: dscores }, rows);
        tape.release(dweights);
        splitProduct(tape, 'nn', out, dscores, k, dq);
        splitProduct(tape, 'tn', out, dscores, q, dk);
        tape.release(dscores);
        tape.run(qkNormRopeBackward.prepare(device, options, { head_dim: dim }), { qkv, dq, dk, dv, dqkv }, heads);
        for (const tensor of [dq, dk, dv]) tape.release(tensor);
      }),
  });
}
