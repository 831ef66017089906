import { cast } from '../kernels/cast.ts';
import { bytesOf, homeOf, Storage, TENSOR_USAGE, Tensor, WeightPack, type Workspace } from '../tensor/index.ts';
import type { Module, Weights } from './network.ts';

/** Weights as they were at one moment, in memory of their own until `free`. */
export interface WeightsCopy {
  readonly weights: Weights;
  free(): void;
}

/**
 * Weights to be read on a workspace, whatever becomes of them meanwhile: a copy where they belong to another one, a trainer's, on which
 * steps go on. It is of the moment between two tasks there: after those that were asked for before this call, and before all later
 * ones. Weights of the workspace itself, and buffers of the caller's own, are given as they are.
 * @throws WorkspaceError for freed weights, BufferLimitError where there is no memory for the copy.
 */
export async function copyWeights(workspace: Workspace, module: Module, weights: Weights): Promise<WeightsCopy> {
  const names = [...module.parameters, ...module.constants].map(({ name }) => name);
  const bufferOf = (name: string) => weights.get(name).buffer;
  const foreign = names.filter((name) => ![undefined, workspace].includes(homeOf(bufferOf(name))));
  if (foreign.length === 0) return { weights, free: () => {} };
  const ledger = workspace.ledger.branch('weights');
  try {
    const copied = new Map<GPUBuffer, GPUBuffer>();
    const take = async (owner: Workspace) => {
      const own = foreign.filter((name) => homeOf(bufferOf(name)) === owner);
      const buffers = () => [...new Set(own.map(bufferOf))]; // whole flat buffers: a copy each
      const from = buffers();
      const copies = await owner.takeCopies(ledger, () => buffers().map(whole));
      from.forEach((buffer, i) => {
        copied.set(buffer, (copies[i] as Tensor).buffer);
      });
    };
    const owners = new Set(foreign.map((name) => homeOf(bufferOf(name)) as Workspace));
    await Promise.all([...owners].map(take));
    const tensors = new Map<string, Tensor>();
    for (const name of foreign) {
      const { shape, dtype, buffer, offset, size } = weights.get(name);
      tensors.set(name, new Tensor(shape, new Storage(copied.get(buffer) as GPUBuffer, offset, size), dtype));
    }
    for (const buffer of copied.values()) {
      const matrices = [...tensors.values()].filter(
        (t) => t.buffer === buffer && t.dtype === 'f32' && t.shape.length > 1,
      );
      new WeightPack(ledger, whole(buffer), matrices);
    }
    const get = (name: string) => tensors.get(name) ?? weights.get(name); // what is neither is an error there
    return { weights: { get, has: (name) => weights.has(name) }, free: () => ledger.end() };
  } catch (error) {
    ledger.end();
    throw error;
  }
}

/**
 * The same weights, the matrices among them with an f16 copy of this moment, to be made before the next command reads them: for passes in
 * mixed precision of weights that no learner copies. @throws BufferLimitError where there is no memory for it.
 */
export async function withHalves(workspace: Workspace, module: Module, weights: Weights): Promise<WeightsCopy> {
  const ledger = workspace.ledger.branch('halves');
  try {
    const tensors = new Map<string, Tensor>();
    for (const { name } of module.parameters) {
      const { shape, buffer, offset, size, dtype, count, half } = weights.get(name);
      if (half || dtype !== 'f32' || shape.length < 2) continue;
      const bytes = Math.ceil(bytesOf('f16', count) / 4) * 4;
      const copy = new Storage(ledger.create('average', `${name} as f16`, bytes, TENSOR_USAGE), 0, bytes);
      tensors.set(name, new Tensor(shape, new Storage(buffer, offset, size, undefined, copy)));
    }
    await ledger.check();
    for (const x of tensors.values()) {
      const kernel = cast.prepare(workspace.device, { dtype: 'f32', outDtype: 'f16' }, { count: x.count });
      workspace.stream.run(kernel, { x, out: x.half as Tensor }, { count: x.count });
    }
    const get = (name: string) => tensors.get(name) ?? weights.get(name);
    return { weights: { get, has: (name) => weights.has(name) }, free: () => ledger.end() };
  } catch (error) {
    ledger.end();
    throw error;
  }
}

const whole = (buffer: GPUBuffer): Tensor => new Tensor([buffer.size / 4], new Storage(buffer, 0, buffer.size));

/**
 * Runs `work` as a task of a workspace on weights that nothing changes meanwhile: those of the moment of this call.
 * @throws as `copyWeights` and `work`.
 */
export async function withWeights<T>(
  workspace: Workspace,
  module: Module,
  weights: Weights,
  work: (weights: Weights) => Promise<T>,
): Promise<T> {
  const taken = copyWeights(workspace, module, weights);
  taken.catch(() => {}); // told to the task that waits for it
  try {
    return await workspace.task(async () => work((await taken).weights));
  } finally {
    await taken.then(
      (copy) => copy.free(),
      () => {},
    );
  }
}
