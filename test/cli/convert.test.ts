import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { encodeSafetensors, type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import { networkOf } from '../../src/run/model.ts';
import { count } from '../../src/tensor/index.ts';
import { bytesOf, Call, floats, Saved, storage, torchFile } from '../io/torch_file.ts';
import { temporaryFolder, ucgm } from './run.ts';

/** tiny/7 over 28 x 28 digits of ten classes. */
const network = networkOf({
  name: 'tiny/7',
  input_size: 28,
  in_channels: 1,
  num_classes: 10,
  hidden_size: 64,
  depth: 4,
  num_heads: 4,
  patch_size: 7,
});

type Saves = Map<string, unknown>;

/** Weights as the reference's state_dict has them: the fixed table first, of [1, N, D]. */
function stateDict(scale: number): Saves {
  const state: Saves = new Map();
  const table = network.constants.find(({ name }) => name === 'pos_embed')!;
  state.set('pos_embed', floats([1, ...table.shape], table.data));
  for (const { name, shape } of network.parameters) {
    const values = Float32Array.from({ length: count(shape) }, (_, i) => scale * 0.05 * Math.sin(i));
    state.set(name, floats(shape, values));
    if (name === 'y_embedder.embedding_table.weight')
      for (const part of ['cos', 'sin']) state.set(`feat_rope.freqs_${part}`, floats([16, 16], new Float32Array(256)));
  }
  return state;
}

/** A checkpoint as the reference's training writes it. */
function reference(): Saves {
  const model = stateDict(1);
  const entries = [['pos_embed', []] as const, ...network.parameters.map(({ name, shape }) => [name, shape] as const)];
  const moments = entries.flatMap(([name, shape], i): [number, unknown][] => {
    if (name === 'pos_embed') return [];
    const filled = (value: number) => floats(shape, new Float32Array(count(shape)).fill(value));
    return [
      [
        i,
        new Map<string, unknown>([
          ['step', floats([], Float32Array.of(12))],
          ['exp_avg', filled(i)],
          ['exp_avg_sq', filled(1e-9)],
        ]),
      ],
    ];
  });
  const teacher = [...stateDict(3)].map(([name, tensor]): [string, unknown] => [`mod.${name}`, tensor]);
  return new Map<string, unknown>([
    ['model', model],
    ['ema', new Map([...stateDict(2)].map(([name, tensor]) => [`module.${name}`, tensor]))],
    [
      'opt',
      new Map<string, unknown>([
        ['state', new Map(moments)],
        ['param_groups', [new Map<string, unknown>([['params', entries.map((_, i) => i)]])]],
      ]),
    ],
    ['unigen', new Map(teacher)],
    [
      'config',
      new Map([
        ['model', new Map([['type', 'tiny/7']])],
        ['transport', new Map([['type', 'TrigFlow']])],
      ]),
    ],
  ]);
}

describe('ucgm convert', () => {
  const path = temporaryFolder();
  const convert = (...args: string[]) => ucgm(['convert', ...args]);
  const values = (tensors: ReadonlyMap<string, RawTensor>, name: string) => toFloat32(tensors.get(name) as RawTensor);

  beforeAll(() => {
    writeFileSync(path('bare.pth'), torchFile(stateDict(1)));
    writeFileSync(path('named.safetensors'), readFileSync(path('bare.pth'))); // known by its content
    writeFileSync(path('0000034.pt'), torchFile(reference()));
  });

  it.concurrent("turns the reference's checkpoint into a run that trains on, samples and is tuned", async () => {
    expect(await convert(path('0000034.pt'), '--run', path('run'), '--data', 'digits')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: `${path('run')}: tiny/7, step 34, model, ema, m, v, teacher\n`,
    });
    const { tensors, metadata } = readSafetensors(path('run', 'checkpoints', '34.safetensors'));
    expect(metadata).toMatchObject({ format: 'ucgm-checkpoint-1', step: '34', optimizer_step: '12' });
    expect(tensors.size).toBe(5 * network.parameters.length);
    const name = 'blocks.1.attn.qkv.weight';
    const scales = { model: 1, ema: 2, teacher: 3 };
    for (const [group, scale] of Object.entries(scales))
      expect(values(tensors, `${group}/${name}`)[1]).toBeCloseTo(scale * 0.05 * Math.sin(1), 6);
    expect(values(tensors, `m/${name}`)[0]).toBe(1 + network.parameters.findIndex((p) => p.name === name));
    expect(values(tensors, `v/${name}`)[0]).toBe(Math.fround(1e-9));
    const config = readFileSync(path('run', 'config.yaml'), 'utf8');
    for (const line of ['name: tiny/7', 'input_size: 28', 'in_channels: 1', 'num_classes: 10', 'type: TrigFlow'])
      expect(config).toContain(line);

    const sample = ['sample', '--from', path('run'), '--count', '2', '--steps', '2', '--grid', path('a.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('step 34') });
    writeFileSync(path('run', 'config.yaml'), config.replace('batch_size: 1024', 'batch_size: 2'));
    const direct = ['sample', '--from', path('0000034.pt'), '--count', '1', '--steps', '1', '--grid', path('d.png')];
    expect(await ucgm(direct)).toMatchObject({ code: 0, stderr: '' }); // it names its model itself
    const resume = ['train', '--resume', '--out', path('run'), '--steps', '35'];
    expect(await ucgm(resume)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('resumed at step 34'),
    });
    const tune = ['tune', '--from', path('run'), '--out', path('few'), '--steps', '1', '--batch', '2'];
    const untrained = expect.stringMatching(/^warning: the start misses \d+% of the velocity/); // random weights
    expect(await ucgm(tune)).toMatchObject({ code: 0, stderr: untrained });
  });

  it.concurrent('leaves one moment without the other behind', async () => {
    expect(await convert(path('0000034.pt'), '--run', path('both'), '--data', 'digits')).toMatchObject({ code: 0 });
    const { tensors, metadata } = readSafetensors(path('both', 'checkpoints', '34.safetensors'));
    const first = new Map([...tensors].filter(([name]) => !name.startsWith('v/')));
    writeFileSync(path('first.safetensors'), Buffer.concat(encodeSafetensors(first, metadata)));
    const options = ['--run', path('first'), '--data', 'digits', '--model', 'tiny/7', '--size', '28'];
    expect(await convert(path('first.safetensors'), ...options)).toMatchObject({
      stderr: '',
      code: 0,
      stdout: expect.stringContaining('model, ema, teacher\n'),
    });
  });

  it.concurrent('turns a bare state_dict into a run', async () => {
    const args = ['--run', path('bare'), '--model', 'tiny/7', '--transport', 'Linear', '--dtype', 'f16'];
    expect(await convert(path('named.safetensors'), ...args)).toMatchObject({ code: 0, stderr: '' });
    const { tensors } = readSafetensors(path('bare', 'checkpoints', '0.safetensors'));
    expect(tensors.size).toBe(2 * network.parameters.length);
    expect(tensors.get('ema/x_embedder.proj.weight')).toMatchObject({ dtype: 'F16', shape: [64, 1, 7, 7] });
    const sample = ['sample', '--from', path('bare'), '--count', '2', '--steps', '2', '--grid', path('b.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stderr: '' });
    expect(await convert(path('bare.pth'), ...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds a run'),
    });
  });

  it.concurrent('writes safetensors with the names of a checkpoint, or with plain ones, and reads them again', async () => {
    expect((await convert(path('0000034.pt'), '--out', path('c.safetensors'), '--dtype', 'f16')).code).toBe(0);
    const { tensors, metadata } = readSafetensors(path('c.safetensors'));
    expect(metadata.step).toBe('34');
    expect(tensors.get('model/pos_embed')?.dtype).toBe('F16');
    expect(tensors.get('v/x_embedder.proj.bias')?.dtype).toBe('F32'); // as a half it would be 0
    expect((await convert(path('c.safetensors'), '--run', path('again'), '--model', 'tiny/7')).code).toBe(0);
    expect(existsSync(path('again', 'checkpoints', '34.safetensors'))).toBe(true);

    const brain = new Saved(storage('BFloat16Storage', Uint16Array.of(0x3f80, 0xc000)), [2], [1]);
    const whole = new Saved(storage('LongStorage', BigInt64Array.of(5n)), [], []);
    writeFileSync(
      path('mixed.pt'),
      torchFile(
        new Map<string, unknown>([
          ['net', new Map([['a', brain]])],
          ['n', [whole]],
        ]),
      ),
    );
    expect((await convert(path('mixed.pt'), '--out', path('p.safetensors'), '--plain')).code).toBe(0);
    const kept = readSafetensors(path('p.safetensors')).tensors;
    expect([...kept].map(([name, { dtype }]) => [name, dtype])).toEqual([
      ['net.a', 'BF16'],
      ['n.0', 'I64'],
    ]);
    expect((await convert(path('mixed.pt'), '--out', path('q.safetensors'), '--plain', '--dtype', 'f32')).code).toBe(0);
    const wide = readSafetensors(path('q.safetensors')).tensors;
    expect(wide.get('n.0')?.dtype).toBe('I64');
    expect([...values(wide, 'net.a')]).toEqual([1, -2]);
  });

  const without = (name: string): Saves => new Map([...stateDict(1)].filter(([other]) => other !== name));
  const file = (name: string, value: unknown): string => {
    writeFileSync(path(name), torchFile(value));
    return path(name);
  };
  const run = () => ['--run', path('refused'), '--model', 'tiny/7'];
  const out = () => ['--out', path('refused')];
  const named = (name: string, tensor: unknown) => new Map<string, unknown>([...without(name), [name, tensor]]);
  const cases: [what: string, args: () => string[], message: RegExp][] = [
    [
      'os.system',
      () => [file('evil.pt', new Call('posix', 'system', ['echo'])), ...run()],
      /evil\.pt: the pickle asks for posix\.system, which is not a tensor/,
    ],
    ['no file', () => [path('none.pt'), ...run()], /none\.pt: it cannot be read/],
    [
      'another kind of file',
      () => {
        writeFileSync(path('weights.bin'), 'GGUF, or whatever else');
        return [path('weights.bin'), ...run()];
      },
      /weights\.bin is no weights file/,
    ],
    ['no place to write to', () => [path('bare.pth')], /either --out FILE.safetensors or --run FOLDER/],
    ['two places to write to', () => [path('bare.pth'), ...run(), ...out()], /either --out/],
    ['another kind of output', () => [path('bare.pth'), ...out()], /is no name of a .safetensors file/],
    [
      'another feature network',
      () => [path('bare.pth'), '--out', path('x.safetensors'), '--features', 'vgg'],
      /--features vgg does not exist/,
    ],
    [
      'a run of a feature network',
      () => [path('bare.pth'), ...run(), '--features', 'inception-v3'],
      /--features goes with --out alone/,
    ],
    [
      'features out of another network',
      () => [path('bare.pth'), '--out', path('x.safetensors'), '--features', 'inception-v3'],
      /Conv2d_1a_3x3.conv.weight is missing/,
    ],
    ['another dtype', () => [path('bare.pth'), ...run(), '--dtype', 'f8'], /--dtype f8 does not exist/],
    ['plain names in a run', () => [path('bare.pth'), ...run(), '--plain'], /--plain does not go with --run/],
    [
      'a model without a run',
      () => [path('bare.pth'), '--out', 'x.safetensors', '--model', 'tiny'],
      /--model does not go with --out/,
    ],
    ['no model', () => [path('bare.pth'), '--run', path('refused')], /does not name its model.*--model/],
    [
      'no such model',
      () => [path('bare.pth'), '--run', path('refused'), '--model', 'TiT-Z'],
      /model TiT-Z does not exist/,
    ],
    ['no such transport', () => [path('bare.pth'), ...run(), '--transport', 'Bezier'], /transport_type is "Bezier"/],
    [
      'another model',
      () => [path('bare.pth'), '--run', path('refused'), '--model', 'small/7'],
      /x_embedder.proj.weight is \[64,1,7,7\], that of small\/7 is \[128,1,7,7\]/,
    ],
    [
      'no embedder',
      () => [file('a.pt', without('x_embedder.proj.weight')), ...run()],
      /there is no x_embedder.proj.weight; the nearest is "x_embedder.proj.bias"/,
    ],
    [
      'a parameter that is missing',
      () => [file('b.pt', without('blocks.2.mlp.w3.bias')), ...run()],
      /model lacks blocks.2.mlp.w3.bias of tiny\/7; the nearest is "blocks.\d.mlp.w3.bias"/,
    ],
    [
      'a parameter too many',
      () => [file('c.pt', named('blocks.0.mlp.w4.bias', floats([1], new Float32Array(1)))), ...run()],
      /has "blocks.0.mlp.w4.bias", which tiny\/7 has not; the nearest is "blocks.0.mlp.w3.bias"/,
    ],
    [
      'a trained position table',
      () => [file('d.pt', named('pos_embed', floats([1, 16, 64], new Float32Array(1024)))), ...run()],
      /pos_embed is not the fixed table/,
    ],
    [
      'an endless position table',
      () => [file('e.pt', named('pos_embed', floats([1e9, 1e9, 0], new Float32Array(0)))), ...run()],
      /input_size is 0/,
    ],
    [
      'a number that no half holds',
      () => [
        file('f.pt', new Map([['a', floats([1], Float32Array.of(1e6))]])),
        '--plain',
        '--dtype',
        'f16',
        '--out',
        path('half.safetensors'),
      ],
      /a holds 1000000, which half precision cannot/,
    ],
    [
      'a cut file',
      () => {
        writeFileSync(path('cut.pt'), readFileSync(path('bare.pth')).subarray(0, 5000));
        return [path('cut.pt'), ...run()];
      },
      /cut\.pt: the zip has no directory/,
    ],
    [
      'one storage under many names',
      () => {
        const shared = storage('FloatStorage', new Float32Array(2 ** 18));
        const names = Array.from({ length: 40 }, (_, i): [string, unknown] => [
          `n${i}`,
          new Saved(shared, [2 ** 18], [1]),
        ]);
        return [file('g.pt', new Map(names)), '--plain', '--out', path('big.safetensors')];
      },
      /its tensors written one by one have 41943040/,
    ],
    [
      'a damaged safetensors file',
      () => {
        const chunks = encodeSafetensors([['a', { shape: [1], data: Float32Array.of(1) }]], {});
        writeFileSync(path('h.safetensors'), bytesOf(...chunks).subarray(0, -1));
        return [path('h.safetensors'), '--plain', '--out', path('i.safetensors')];
      },
      /h\.safetensors: .*offsets/,
    ],
  ];
  it.concurrent.each(cases)('refuses %s in one line', async (_, args, message) => {
    const { code, stderr } = await convert(...args());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^ucgm: [^\n]*Fix: [^\n]+\n$/);
    expect(code).toBe(2);
    for (const name of ['refused', 'half.safetensors', 'big.safetensors']) expect(existsSync(path(name))).toBe(false);
  });
});
