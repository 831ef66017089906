import { expect, it } from 'vitest';
import { selfAttention } from '../../src/autograd/ops/attention.ts';
import { linearAttention, linearAttentionOf } from '../../src/autograd/ops/linear_attention.ts';
import { wideAttention } from '../../src/autograd/ops/wide_attention.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { linearlyAttended, randn, relError } from '../reference/index.ts';

it('linear attention gives what its definition does, in strips of tokens too', async () => {
  const workspace = new Workspace(await testDevice());
  workspace.beginStep();
  const put = (data: Float32Array<ArrayBuffer>, ...shape: number[]) => {
    const tensor = workspace.arena.alloc(shape);
    workspace.stream.write(tensor, data);
    return tensor;
  };
  const data = Float32Array.from(randn(2 * 7 * 24, 1));
  const qkv = put(data, 2, 7, 24);
  const tape = new Tape(workspace, { record: false });
  const out = linearAttention(tape, qkv, 4);
  const { out: wanted } = linearlyAttended(data, { batch: 2, n: 7, heads: 2, dim: 4 }, 1e-15);
  expect(relError(await workspace.read(out), wanted)).toBeLessThan(1e-6);

  const [first, second] = [0, 7].map((sample) => data.subarray(sample * 24, (sample + 7) * 24));
  const rows = (from: number, to: number) =>
    Float32Array.from([first, second].flatMap((sample) => [...(sample?.subarray(from * 24, to * 24) ?? [])]));
  const strips = linearAttentionOf(tape, [put(rows(0, 3), 2, 3, 24), put(rows(3, 7), 2, 4, 24)], 4);
  const [top, bottom] = await Promise.all(strips.map((strip) => workspace.read(strip)));
  const joined = [0, 1].flatMap((b) => [
    ...(top?.subarray(b * 24, (b + 1) * 24) ?? []),
    ...(bottom?.subarray(b * 32, (b + 1) * 32) ?? []),
  ]);
  expect(relError(joined, wanted)).toBeLessThan(1e-6);
  expect(() => linearAttention(tape, qkv, 5)).toThrow('no heads of 3 x 5');
  await workspace.dispose();
});

it('attention of one wide head gives what the kernels that store no scores give', async () => {
  const workspace = new Workspace(await testDevice());
  workspace.beginStep();
  const qkv = workspace.arena.alloc([2, 9, 3 * 20]);
  workspace.stream.write(qkv, Float32Array.from(randn(qkv.count, 1)));
  const tape = new Tape(workspace, { record: false });
  const wide = await workspace.read(wideAttention(tape, qkv));
  const flash = await workspace.read(selfAttention(tape, qkv, { heads: 1, norm: 'none', eps: 0 }));
  expect(relError(wide, flash)).toBeLessThan(1e-6);
  await workspace.dispose();
});
