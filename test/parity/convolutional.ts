import { gatedResidual } from '../../src/autograd/ops/residual.ts';
import type { Tape } from '../../src/autograd/tape.ts';
import { createNetwork } from '../../src/models/registry.ts';
import type { Training, VelocityNetwork } from '../../src/nn/network.ts';
import type { NetworkWeights } from '../../src/nn/weights.ts';
import type { Tensor, Workspace } from '../../src/tensor/index.ts';
import type { Fixture } from './fixtures.ts';

type Values = Map<string, Float32Array<ArrayBuffer>>;

/** The network of a case: its options, less what only the fixtures have. */
export function networkOf(config: { [key: string]: unknown }): VelocityNetwork {
  const { class_, kind: _, train: __, cfg: ___, cases: ____, samples: _____, run: ______, ...options } = config;
  return createNetwork(class_ as string, options as never);
}

/** Puts a case's parameters into weights, and its buffers into the constants that all sets share; filters are constants of ours. */
export function place(workspace: Workspace, network: VelocityNetwork, weights: NetworkWeights, values: Values): void {
  const constants = new Set(network.constants.map(({ name }) => name));
  weights.flat.values.write(new Map([...values].filter(([name]) => !constants.has(name))));
  for (const name of ['emb_fourier.freqs', 'emb_fourier.phases', 'map_noise.freqs']) {
    const data = values.get(name);
    if (data) workspace.stream.write(weights.get(name), data);
  }
}

/** Training passes that drop what a fixture says, by block, [B, C, H, W] of 0 and 1. Tensors live until the step ends. */
export function maskedTraining(fixture: Fixture, prefix: string): Training {
  return {
    dropout(tape: Tape, x: Tensor, rate: number, _layer: number, name: string): Tensor {
      const [batch, height, width, channels] = x.shape as [number, number, number, number];
      const mask = fixture.f32(`${prefix}/${name}`);
      const pixels = height * width;
      const gate = new Float32Array(x.count);
      for (let i = 0; i < gate.length; i++) {
        const [b, c] = [Math.floor(i / channels / pixels), i % channels];
        const pixel = Math.floor(i / channels) % pixels;
        gate[i] = (mask[(b * channels + c) * pixels + pixel] as number) / (1 - rate);
      }
      const put = (data: Float32Array<ArrayBuffer>) => {
        const tensor = tape.workspace.arena.alloc([batch * pixels, channels]);
        tape.workspace.stream.write(tensor, data);
        return tensor;
      };
      const zero = put(new Float32Array(x.count)).view(...x.shape);
      return gatedResidual(tape, zero, x, { from: put(gate), offset: 0, rows: 1 });
    },
  };
}

/** True where gains are compared as one vector: single ones cancel. */
export const isGain = (name: string): boolean => name.endsWith('gain');

/** Gradients to compare, all scalar gains as one. */
export function gradientPairs(ours: Values, theirs: Values): [name: string, ours: number[], theirs: number[]][] {
  const all = [...theirs].map(([name, values]) => [name, [...(ours.get(name) ?? [])], [...values]] as const);
  const gains = all.filter(([name]) => isGain(name));
  return [
    ...all.filter(([name]) => !isGain(name)).map(([n, a, b]): [string, number[], number[]] => [n, [...a], [...b]]),
    ...(gains.length > 0
      ? ([['gains', gains.flatMap(([, a]) => a), gains.flatMap(([, , b]) => b)]] as [string, number[], number[]][])
      : []),
  ];
}
