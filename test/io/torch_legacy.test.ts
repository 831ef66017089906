import { describe, expect, it } from 'vitest';
import { parseModulePickle } from '../../src/io/module_pickle.ts';
import { type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import { parseTorchCheckpoint } from '../../src/io/torch_checkpoint.ts';
import { parseWeightsFile } from '../../src/run/weights_file.ts';
import { failure } from './folder.ts';
import { bytesOf, Call, contiguous, floats, le, pickled, Raw, Saved, storage, Tuple } from './torch_file.ts';
import { type LegacyParts, legacyFile, legacyStorage, modulePickle } from './torch_legacy_file.ts';

const values = (tensor: unknown) => [...toFloat32(tensor as RawTensor)];

describe('files of torch before 1.6', () => {
  const shared = storage('FloatStorage', Float32Array.from([1, 2, 3, 4, 5, 6]));
  const halves = storage('HalfStorage', Uint16Array.from([0x3c00, 0xc000]));
  const tree = new Map<string, unknown>([
    ['w', new Saved(shared, [2, 2], [3, 1], 1)],
    ['b', new Saved(shared, [6], [1])],
    ['h', new Saved(halves, [2], [1])],
  ]);

  it('are read as those since', () => {
    const read = parseTorchCheckpoint(legacyFile(tree), 'old.pt') as Map<string, RawTensor>;
    expect([...read.keys()]).toEqual(['w', 'b', 'h']);
    expect(read.get('w')?.shape).toEqual([2, 2]);
    expect(values(read.get('w'))).toEqual([2, 3, 5, 6]);
    expect(values(read.get('b'))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(read.get('h')?.dtype).toBe('F16');
    expect(values(read.get('h'))).toEqual([1, -2]);
    expect(parseWeightsFile(legacyFile(tree), 'old.bin').plain().size).toBe(3);
  });

  const wrong: [what: string, parts: LegacyParts, code: string, message: RegExp][] = [
    ['another protocol', { protocol: 1000 }, 'torch', /before 1\.6/],
    ['big-endian numbers', { little: false }, 'torch', /little-endian/],
    ['a storage that is nobody’s', { extraKey: 'stray' }, 'storage', /nobody's/],
    ['a storage that is missing', { keys: [] }, 'storage', /is not in the file/],
    ['another count', { longer: 1 }, 'storage', /has 7 elements, not 6/],
    ['too few bytes', { cut: 4 }, 'pickle', /ends where/],
  ];
  it.each(wrong)('with %s are refused', (_, parts, code, message) => {
    const error = failure(() => parseTorchCheckpoint(legacyFile(tree, parts), 'old.pt'));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe('pickles of networks with their source', () => {
  const half = legacyStorage('HalfStorage', Uint16Array.from([0x3c00, 0xc000, 0x4200]));
  const tensor = (content: Uint8Array, shape: number[]) =>
    new Call('torch._utils', '_rebuild_tensor_v2', [
      new Call('torch.storage', '_load_from_bytes', [new Raw(bytesOf('B', le(content.byteLength, 4), content))]),
      ...[0, new Tuple(shape), new Tuple(contiguous(shape)), false, new Map()],
    ]);
  const parameter = (content: Uint8Array, shape: number[]) =>
    new Call('torch._utils', '_rebuild_parameter', [tensor(content, shape), true, new Map()]);
  const file = (more: readonly [string, unknown][] = []) =>
    modulePickle({
      className: 'Precond',
      parameters: { scale: parameter(half, [3]) },
      buffers: { nothing: null },
      modules: {
        unet: {
          className: 'UNet',
          parameters: {},
          buffers: { freqs: tensor(half, [1, 3]) },
          modules: {
            enc: {
              container: 'ModuleDict',
              parameters: {},
              buffers: {},
              modules: { '8x8_conv': { className: 'MPConv', parameters: { weight: parameter(half, [3, 1]) } } },
            },
          },
        },
      },
      more,
    });

  it('give the tensors of each network by the names of its state_dict', () => {
    const networks = parseModulePickle(file(), 'edm2.pkl');
    expect([...networks.keys()]).toEqual(['ema']);
    const ema = networks.get('ema') as Map<string, RawTensor>;
    expect([...ema].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['scale', 'F16', [3]],
      ['unet.freqs', 'F16', [1, 3]],
      ['unet.enc.8x8_conv.weight', 'F16', [3, 1]],
    ]);
    expect(values(ema.get('scale'))).toEqual([1, -2, 3]);
    expect([...parseWeightsFile(file(), 'edm2.pkl').plain().keys()]).toContain('ema.unet.enc.8x8_conv.weight');
  });

  it('may hold what is of no use: numbers of NumPy, sets, dictionaries of dnnlib', () => {
    const dtype = new Call('numpy', 'dtype', ['f8', false, true]);
    const scalar = new Call('numpy.core.multiarray', 'scalar', [dtype, new Call('_codecs', 'encode', ['12345678'])]);
    const networks = parseModulePickle(
      file([
        ['skip_scale', scalar],
        ['training', new Call('builtins', 'set', [[1, 2]])],
        ['kwargs', new Call('dnnlib.util', 'EasyDict', [])],
      ]),
      'edm2.pkl',
    );
    expect(networks.get('ema')?.size).toBe(3);
  });

  it.each([
    ['another name', [['f', new Call('os', 'system', ['echo'])]], 'global', /asks for os\.system/],
    [
      'an object of another version',
      [['f', new Call('torch_utils.persistence', '_reconstruct_persistent_obj', [new Map([['version', 5]])])]],
      'pickle',
      /version 5/,
    ],
    [
      'a storage that is none',
      [['f', new Call('torch.storage', '_load_from_bytes', ['x'])]],
      'storage',
      /what is none/,
    ],
    [
      'a storage of another file',
      [['f', new Call('torch.storage', '_load_from_bytes', [new Raw(bytesOf('C\x03abc'))])]],
      'pickle',
      /broken/,
    ],
  ] as const)('with %s are refused', (_, more, code, message) => {
    const error = failure(() => parseModulePickle(file(more as never), 'edm2.pkl'));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('without a network are refused, and so is a file that lies outside itself', () => {
    expect(failure(() => parseModulePickle(pickled(new Map([['ema', 3]])), 'x.pkl')).message).toMatch(
      /holds no network/,
    );
    const outside = failure(() => parseModulePickle(pickled(new Map([['ema', floats([1], Float32Array.of(1))]])), 'x'));
    expect(outside.message).toMatch(/outside itself/);
  });
});
