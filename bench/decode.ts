import { Tape } from '../src/autograd/tape.ts';
import type { Architecture } from '../src/models/autoencoders/architecture.ts';
import { klAutoencoder } from '../src/models/autoencoders/kl.ts';
import { SD_VAE } from '../src/models/autoencoders/kl_config.ts';
import { placeTensors } from '../src/models/autoencoders/place.ts';
import { taef2 } from '../src/models/autoencoders/taef2.ts';
import { count, Workspace } from '../src/tensor/index.ts';
import type { ModelResult } from './model.ts';
import { effortOn, stepKernels, timeRun, took } from './passes.ts';

/** A picture to be decoded: by what, and its side. */
interface DecodeCase {
  readonly name: string;
  readonly architecture: () => Architecture;
  readonly side: number;
  /** Too large for a software adapter. */
  readonly gpuOnly: boolean;
}

const sdVae = () => klAutoencoder(SD_VAE);

/** tools/torch_baseline.py has passes of the same names. */
const CASES: { readonly [name: string]: DecodeCase } = {
  'taef2 decode 32': { name: 'taef2', architecture: () => taef2, side: 32, gpuOnly: false },
  'taef2 decode 256': { name: 'taef2', architecture: () => taef2, side: 256, gpuOnly: true },
  'SD-VAE decode 256': { name: 'SD-VAE', architecture: sdVae, side: 256, gpuOnly: true },
  'SD-VAE decode 512': { name: 'SD-VAE', architecture: sdVae, side: 512, gpuOnly: true },
};

/** Names of the cases that a filter takes. */
export function decodeCases(filter: RegExp, software: boolean): string[] {
  return Object.keys(CASES).filter((name) => filter.test(name) && !(software && CASES[name]?.gpuOnly));
}

/** Numbers of about the size that keeps activations where they are, of any sequence: only their sizes matter for time. */
function* numbers(): Generator<number> {
  for (let state = 1; ; state = (Math.imul(state, 1664525) + 1013904223) >>> 0) yield state / 2 ** 31 - 1;
}

function randomTensors(tensors: Architecture['tensors']) {
  const from = numbers();
  const parts = tensors.flatMap(({ of }) => of);
  return new Map(
    parts.map(({ name, shape }) => {
      const scale = 1.7 / Math.sqrt(count(shape.slice(1)));
      const isGain = shape.length === 1 && name.endsWith('weight');
      const data = Float32Array.from({ length: count(shape) }, () => (isGain ? 1 : scale * from.next().value));
      return [name, { shape, data }] as const;
    }),
  );
}

/** Times the decoding of one latent by random weights, and its kernels. The device must not have run others: its first pass compiles. */
export async function measureDecode(device: GPUDevice, name: string): Promise<ModelResult> {
  const { name: variant, architecture, side } = CASES[name] as DecodeCase;
  const made = architecture();
  const tensors = made.tensors.filter((tensor) => !/^(encoder|quant_conv|to_unit)\./.test(tensor.name));
  const workspace = new Workspace(device);
  const own = { ...made, tensors };
  const weights = placeTensors(workspace, own, { weights: randomTensors(tensors), where: name });
  const shape = [1, made.latentChannels, side / made.downscale, side / made.downscale];
  const z = workspace.create('data', 'z', shape);
  const from = numbers();
  workspace.stream.write(
    z,
    Float32Array.from({ length: z.count }, () => from.next().value),
  );
  await workspace.stream.flush();
  let hostMs = 0;
  const pass = () =>
    workspace.task(async () => {
      hostMs = await took(async () => {
        workspace.beginStep();
        made.decode(new Tape(workspace, { record: false }), weights, z);
        await workspace.stream.flush();
      });
    });
  const firstMs = await took(async () => {
    await pass();
    await device.queue.onSubmittedWorkDone();
  });
  const timing = await timeRun(device, pass, effortOn(device));
  const warmHostMs = hostMs;
  const kernels = await stepKernels(device, pass);
  const peakBytes = workspace.ledger.peak;
  await workspace.dispose();
  return { case: name, variant, dtype: 'f32', shape, ...timing, hostMs: warmHostMs, firstMs, ...kernels, peakBytes };
}
