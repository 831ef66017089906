import { expect, it } from 'vitest';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const numbers = (first: number, count: number) => Float32Array.from({ length: count }, (_, i) => first + i);

/** Runs steps that write, more at once than staging holds, and gives what arrived. */
async function written(workspace: Workspace, step: number): Promise<Float32Array[]> {
  const { stream, arena } = workspace;
  workspace.beginStep();
  const [first, ...rest] = Array.from({ length: 7 }, () => arena.alloc([10_000]));
  const copy = arena.alloc([10_000]);
  if (!first) throw new Error('no tensor');
  stream.write(first, numbers(step, 10_000));
  stream.copy(first, copy);
  stream.write(first, numbers(-step, 10_000)); // after the copy, though the host has it before
  for (const [i, tensor] of rest.entries()) stream.write(tensor, numbers(step + i, 10_000));
  stream.write(first, Float32Array.of(7), 9_999);
  return Promise.all([copy, first, ...rest].map((tensor) => workspace.read(tensor)));
}

it('writes of a step arrive in order with what is recorded around them, however many there are', async () => {
  const workspace = new Workspace(await testDevice());
  const held: number[] = [];
  for (let step = 1; step <= 6; step++) {
    const [copy, first, ...rest] = await written(workspace, step);
    expect(copy).toEqual(numbers(step, 10_000));
    expect(first).toEqual(numbers(-step, 10_000).fill(7, 9_999));
    for (const [i, values] of rest.entries()) expect(values).toEqual(numbers(step + i, 10_000));
    held.push(workspace.ledger.bytes().staging);
  }
  expect(held).toEqual(held.map(() => 3 * 2 ** 16)); // made at once, and never more
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
});

it('a step that is abandoned gives the memory of its writes back, of those on their way too', async () => {
  const workspace = new Workspace(await testDevice());
  for (let step = 1; step <= 3; step++) {
    const [copy, first] = await written(workspace, step);
    expect(copy).toEqual(numbers(step, 10_000));
    expect(first).toEqual(numbers(-step, 10_000).fill(7, 9_999));
    expect(workspace.ledger.bytes().staging).toBe(3 * 2 ** 16);
    workspace.beginStep();
    const large = workspace.arena.alloc([100_000]);
    workspace.stream.write(large, numbers(0, 100_000));
    await workspace.stream.flush();
    workspace.stream.write(large, numbers(1, 100_000));
    await workspace.abandonStep();
    await expect.poll(() => workspace.ledger.total).toBe(0);
  }
  await workspace.dispose();
});

it('halves that end within a word leave no bytes of earlier writes behind them', async () => {
  const workspace = new Workspace(await testDevice());
  const { stream, arena } = workspace;
  for (const [count, word] of [
    [4, 0x3c003c00],
    [3, 0x3c00],
  ] as const) {
    workspace.beginStep();
    const tensor = arena.alloc([count], 'f16');
    stream.write(tensor, new Uint16Array(count).fill(0x3c00));
    const words = arena.alloc([2], 'u32');
    await stream.flush();
    const encoder = workspace.device.createCommandEncoder();
    encoder.copyBufferToBuffer(tensor.buffer, tensor.offset, words.buffer, words.offset, 8);
    workspace.device.queue.submit([encoder.finish()]);
    const read = await workspace.read(words);
    expect(new Uint32Array(read.buffer)[1]).toBe(word);
  }
  await workspace.dispose();
});

it('what a staging buffer does not hold goes by the queue, and weights that are written between steps too', async () => {
  const workspace = new Workspace(await testDevice());
  const large = workspace.create('data', 'large', [5_000_000]);
  const data = numbers(0, large.count);
  workspace.stream.write(large, data);
  await workspace.stream.flush();
  workspace.beginStep();
  workspace.stream.write(
    large,
    data.map((v) => v + 1),
  );
  const read = await workspace.read(large);
  expect([read[0], read[1], read[4_999_999]]).toEqual([1, 2, 5_000_000]);
  expect(workspace.ledger.bytes().staging).toBe(0);
  await workspace.dispose();
});

it('a workspace that ends with writes on their way leaves no failure behind', async () => {
  for (let i = 0; i < 20; i++) {
    const workspace = new Workspace(await testDevice());
    workspace.beginStep();
    workspace.stream.write(workspace.arena.alloc([1000]), numbers(i, 1000));
    await workspace.stream.flush();
    if (i % 2 === 0) await workspace.device.queue.onSubmittedWorkDone(); // mapped, or about to be
    await workspace.dispose(); // an unhandled rejection fails the run
    expect(workspace.ledger.total).toBe(0);
  }
});
