import type { Communicator } from '../../src/parallel/communicator.ts';
import { resolveModel } from '../../src/run/model.ts';
import { resolveOptimizer, trainerOf } from '../../src/run/prepare.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { configOf, sourceOf } from './training.ts';

/** The outer step of the test. */
export const OUTER = { lr: 0.6, momentum: 0.8 };

/** What one rank has before two rounds of local steps, at the end of each, and after the outer step of each. */
export interface Rounds {
  readonly start: number[];
  readonly own: number[][];
  readonly after: number[][];
  readonly average: number[];
}

/** Two rounds of four and of three local steps. */
export async function localRounds(ranks: Communicator, device: GPUDevice): Promise<Rounds> {
  const config = configOf({ local_steps: 100, outer: OUTER });
  const source = sourceOf(config, ranks);
  config.model = resolveModel(config.model, source);
  config.optimizer = resolveOptimizer(config);
  const workspace = new Workspace(device);
  const trainer = trainerOf(workspace, config, ranks);
  const values = ({ flat } = trainer.weights) => trainer.inspect(async () => [...(await flat.values.readChunk(0))]);
  const [start, own, after] = [await values(), [] as number[][], [] as number[][]];
  for (const steps of [4, 3]) {
    for (let i = 0; i < steps; i++) await trainer.train(await source.batch(trainer.step));
    own.push(await values());
    await trainer.endRound();
    after.push(await values());
  }
  const average = await values(trainer.average);
  await trainer.free();
  await workspace.dispose();
  return { start, own, after, average };
}
