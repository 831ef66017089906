import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import { createNetwork, type ModelConfig } from '../../src/models/registry.ts';
import { parseModel } from '../../src/run/model_file.ts';
import { count } from '../../src/tensor/index.ts';
import { bytesOf, Call, contiguous, le, Raw, Tuple } from '../io/torch_file.ts';
import { legacyStorage, modulePickle } from '../io/torch_legacy_file.ts';
import { temporaryFolder, ucgm } from './run.ts';

const FREQS = 'emb_fourier.freqs';

/** A parameter as EDM's pickles hold it. */
function saved(shape: readonly number[], values: Float32Array): Call {
  const content = legacyStorage('FloatStorage', values);
  const storage = new Call('torch.storage', '_load_from_bytes', [
    new Raw(bytesOf('B', le(content.byteLength, 4), content)),
  ]);
  return new Call('torch._utils', '_rebuild_tensor_v2', [
    ...[storage, 0, new Tuple(shape), new Tuple(contiguous(shape)), false, new Map()],
  ]);
}

/** A pickle of a network under a prefix: some numbers in its parameters and random constants. */
function pickleOf(class_: string, config: ModelConfig, inner: string, more: { [name: string]: Call } = {}) {
  const network = createNetwork(class_, config);
  const values = (n: number, scale: number) => Float32Array.from({ length: n }, (_, i) => scale * Math.sin(i + 1));
  const parameters = network.parameters.map(
    ({ name, shape }) => [name, saved(shape, values(count(shape), 0.1))] as const,
  );
  const buffers = network.constants
    .filter(({ random }) => random)
    .map(({ name, shape }) => [name, saved(shape, values(count(shape), 3))] as const);
  return modulePickle({
    className: 'Precond',
    modules: {
      [inner]: {
        className: 'Net',
        parameters: { ...Object.fromEntries(parameters), ...more },
        buffers: Object.fromEntries(buffers),
      },
    },
  });
}

const SIZES = { input_size: 8, in_channels: 3, num_classes: 4, model_channels: 8, channel_mult: [1, 2], num_blocks: 1 };

describe('ucgm convert of pickles of networks', () => {
  const path = temporaryFolder();
  const values = (tensors: ReadonlyMap<string, RawTensor>, name: string) => toFloat32(tensors.get(name) as RawTensor);

  beforeAll(() => {
    writeFileSync(path('edm2.pkl'), pickleOf('EDM2', { ...SIZES, attn_resolutions: [] }, 'unet'));
    const augmented = { 'map_augment.weight': saved([8, 9], new Float32Array(72)) };
    writeFileSync(path('edm.pkl'), pickleOf('UNet+', { ...SIZES, attn_resolutions: [4] }, 'model', augmented));
  });

  it('makes a run of EDM2, with the random frequencies of its file', async () => {
    const convert = ['convert', path('edm2.pkl'), '--run', path('run'), '--model', 'EDM2-XS', '--data', 'digits'];
    expect(await ucgm(convert)).toMatchObject({ code: 0, stdout: `${path('run')}: EDM2-XS, step 0, model, ema\n` });
    const { tensors } = readSafetensors(path('run', 'checkpoints', '0.safetensors'));
    expect(values(tensors, `constant/${FREQS}`)[1]).toBeCloseTo(3 * Math.sin(2), 6);
    const sample = ['sample', '--from', path('run'), '--count', '1', '--steps', '2', '--grid', path('a.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stderr: '' });
    // The numbers go on in a file of the model, as random ones would not.
    expect(await ucgm(['export', '--from', path('run'), '--out', path('model.safetensors')])).toMatchObject({
      code: 0,
    });
    const { tensors: exported } = readSafetensors(path('model.safetensors'));
    expect(values(exported, FREQS)).toEqual(values(tensors, `constant/${FREQS}`));
    const model = parseModel(readFileSync(path('model.safetensors')), 'model.safetensors');
    expect(model.network.constants.find(({ name }) => name === FREQS)?.data).toEqual(values(exported, FREQS));
  });

  it('samples of EDM as it is, without its augmentation', async () => {
    const sample = ['sample', '--from', path('edm.pkl'), '--count', '1', '--steps', '2', '--grid', path('c.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stderr: '' });
  });
});
