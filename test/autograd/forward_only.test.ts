import { expect, it } from 'vitest';
import { selfAttention } from '../../src/autograd/ops/attention.ts';
import { linearAttention } from '../../src/autograd/ops/linear_attention.ts';
import { wideAttention } from '../../src/autograd/ops/wide_attention.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { linearlyAttended, randn, relError } from '../reference/index.ts';

it('linear attention gives what its definition does, and refuses a backward', async () => {
  const workspace = new Workspace(await testDevice());
  workspace.beginStep();
  const qkv = workspace.arena.alloc([2, 7, 24]);
  const data = Float32Array.from(randn(qkv.count, 1));
  workspace.stream.write(qkv, data);
  const out = linearAttention(new Tape(workspace, { record: false }), qkv, 4);
  const { out: wanted } = linearlyAttended(data, { batch: 2, n: 7, heads: 2, dim: 4 }, 1e-15);
  expect(relError(await workspace.read(out), wanted)).toBeLessThan(1e-6);
  const tape = new Tape(workspace, { record: true });
  expect(() => linearAttention(tape, tape.watch(qkv), 4)).toThrow('no backward');
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
