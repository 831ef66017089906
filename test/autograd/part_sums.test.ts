import { expect, it } from 'vitest';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import { PartSums } from '../../src/autograd/part_sums.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { FlatLayout, FlatParameters, type Storage, Tensor, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

/** The names of kernels that are recorded from now on. */
function recordedBy({ stream }: Workspace): string[] {
  const names: string[] = [];
  const { run } = stream;
  stream.run = (kernel, buffers, dims) => {
    names.push(kernel.name);
    run.call(stream, kernel as never, buffers as never, dims as never);
  };
  return names;
}

it('sums parts of several tensors by a dispatch a buffer, and before there is no more room', async () => {
  const workspace = new Workspace(await testDevice());
  const sizes = [341, 128, 7, 5, 600];
  const specs = sizes.map((size, i) => ({ name: `w${i}`, shape: [size] }));
  const flat = new FlatParameters(workspace, new FlatLayout(specs, 3 * 1024), { trainable: true }); // two buffers
  expect(flat.layout.chunks).toHaveLength(2);
  const gradients = specs.map(({ name, shape }) => {
    const storage = flat.get(name).storage.gradient as Storage;
    return new Tensor(shape, storage);
  });
  const names = recordedBy(workspace);
  const sums = new PartSums(workspace, 4096);
  const parts = [3, 70, 1, 9, 3];
  const value = (i: number, part: number, at: number) => ((i + 3 * part + at) % 17) - 8; // whole, so that every order gives the sum
  workspace.beginStep();
  for (const pair of [[0, 1], [2, 3], [4]])
    sums.add(
      pair.map((i) => ({ to: gradients[i] as Tensor, parts: parts[i] as number })),
      (given) => {
        for (const [at, tensor] of given.entries()) {
          const i = pair[at] as number;
          const size = sizes[i] as number;
          const data = Float32Array.from({ length: tensor.count }, (_, j) => value(i, Math.floor(j / size), j % size));
          workspace.stream.write(tensor, data);
        }
      },
    );
  expect(gradients.map((gradient) => sums.awaits(gradient))).toEqual([false, false, true, true, true]);
  sums.finish();
  expect(gradients.some((gradient) => sums.awaits(gradient))).toBe(false);
  // The first two are more than there is room for, so they are summed before the others, which are of two buffers.
  expect(names.filter((name) => name === 'sum_parts')).toHaveLength(3);
  const read = await flat.gradients?.read();
  for (const [i, { name }] of specs.entries()) {
    const count = parts[i] as number;
    const expected = Array.from({ length: sizes[i] as number }, (_, at) =>
      Array.from({ length: count }, (_, part) => value(i, part, at)).reduce((a, b) => a + b, 0),
    );
    expect([...(read?.get(name) ?? [])], name).toEqual(expected);
  }
  await workspace.dispose();
});

it('gives a backward the gradients that it gives one by one, also of weights that are used twice', async () => {
  const workspace = new Workspace(await testDevice());
  const [rows, cols] = [300, 12];
  const shape = [cols];
  const specs = ['a', 'b', 'c', 'd'].map((name) => ({ name, shape }));
  const flat = new FlatParameters(workspace, new FlatLayout(specs, 2 ** 20), { trainable: true });
  const values = new Map(specs.map(({ name }, i) => [name, Float32Array.from(randn(cols, i + 1))]));
  flat.values.write(values);
  await workspace.stream.flush();
  const names = recordedBy(workspace);
  const backward = (of: (tape: Tape, name: string) => Tensor, twice: boolean) => {
    workspace.beginStep();
    names.length = 0;
    const tape = new Tape(workspace, { record: true });
    const w = Object.fromEntries(specs.map(({ name }) => [name, of(tape, name)])) as Record<string, Tensor>;
    let h = tape.alloc(rows, cols);
    workspace.stream.write(h, Float32Array.from(randn(rows * cols, 9)));
    for (const [weight, bias] of twice ? ['ab', 'cd', 'ab'] : ['ab', 'cd'])
      h = normModulate(tape, h, {
        kind: 'layer',
        eps: 1e-6,
        weight: w[weight as string] as Tensor,
        bias: w[bias as string] as Tensor,
      });
    const grad = tape.alloc(rows, cols);
    workspace.stream.write(grad, Float32Array.from(randn(rows * cols, 10)));
    tape.backward(h, grad);
    return { tape, w };
  };
  for (const twice of [false, true]) {
    const watched = backward((tape, name) => {
      const tensor = tape.watch(tape.alloc(...shape));
      workspace.stream.write(tensor, values.get(name) as Float32Array<ArrayBuffer>);
      return tensor;
    }, twice);
    const expected: Float32Array[] = [];
    for (const { name } of specs) expected.push(await workspace.read(watched.tape.gradient(watched.w[name] as Tensor)));
    backward((_, name) => flat.get(name), twice);
    // What came first of a weight that is used again is summed by then; nothing else waits with it.
    expect(names.filter((name) => name === 'sum_parts')).toHaveLength(1);
    const read = await flat.gradients?.read();
    for (const [i, { name }] of specs.entries()) expect(read?.get(name), `${name} ${twice}`).toEqual(expected[i]);
  }
  await workspace.dispose();
});
