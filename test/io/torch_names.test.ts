import { describe, expect, it } from 'vitest';
import { toFloat32 } from '../../src/io/dtypes.ts';
import type { RawTensor } from '../../src/io/safetensors.ts';
import { parseTorchCheckpoint } from '../../src/io/torch_checkpoint.ts';
import { plainTensors, torchTensors } from '../../src/io/torch_names.ts';
import { failure } from './folder.ts';
import { floats, Tuple, torchFile } from './torch_file.ts';

const load = (value: unknown): unknown => parseTorchCheckpoint(torchFile(value), 'f.pt');

describe('names', () => {
  const x = (n: number, ...shape: number[]) =>
    floats(shape, new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(n));
  const names = (value: unknown) => [...torchTensors(load(value), 'f').tensors.keys()];
  const value = (tensors: ReadonlyMap<string, RawTensor>, name: string) => toFloat32(tensors.get(name) as RawTensor)[0];

  it('joins the path with dots, and ends in a tree that contains itself', () => {
    const tree = new Map<string, unknown>([
      ['a', [x(1, 1), new Tuple([x(2, 1)])]],
      ['b.c', x(3, 1)],
    ]);
    expect([...plainTensors(load(tree), 'f').keys()]).toEqual(['a.0', 'a.1.0', 'b.c']);
    const cycle = new Map<unknown, unknown>();
    cycle.set('self', cycle).set('x', { dtype: 'U8', shape: [0], data: new Uint8Array(0) });
    expect([...plainTensors(cycle, 'f').keys()]).toEqual(['x']);
  });

  it('does not walk shared containers once a path', () => {
    const tensor = { dtype: 'U8', shape: [0], data: new Uint8Array(0) };
    let tree = new Map<unknown, unknown>([['x', tensor]]);
    for (let i = 0; i < 60; i++)
      tree = new Map([
        ['a', tree],
        ['b', tree],
      ]);
    expect(plainTensors(tree, 'f').size).toBe(1);
  });

  it('refuses two tensors of one name, deep nesting and endless names', () => {
    const tensor = { dtype: 'U8', shape: [0], data: new Uint8Array(0) };
    const twice = new Map<unknown, unknown>([
      ['a.b', tensor],
      ['a', new Map([['b', tensor]])],
    ]);
    expect(failure(() => plainTensors(twice, 'f')).code).toBe('duplicate');
    expect(
      failure(() =>
        torchTensors(
          new Map([
            ['a', tensor],
            ['module.a', tensor],
          ]),
          'f',
        ),
      ).code,
    ).toBe('duplicate');
    let deep: unknown = tensor;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(failure(() => plainTensors(deep, 'f')).code).toBe('limit');
    const long = 'n'.repeat(60_000_000);
    expect(failure(() => plainTensors(new Map([[long, new Map([[long, tensor]])]]), 'f')).code).toBe('limit');
    const list = new Map(Array.from({ length: 3 }, (_, i) => [`${long}${i}`, tensor]));
    expect(failure(() => plainTensors(list, 'f')).code).toBe('limit');
  });

  it('takes a bare state_dict, and one under a key, as model and ema', () => {
    const state = new Map<string, unknown>([
      ['module.a', x(1, 1)],
      ['module.b', x(2, 1)],
    ]);
    const expected = ['model/a', 'model/b', 'ema/a', 'ema/b'];
    expect(names(state)).toEqual(expected);
    for (const key of ['model', 'ema', 'state_dict']) expect(names(new Map([[key, state]]))).toEqual(expected);
  });

  it('finds weights under any prefix, and says what it leaves out', () => {
    const parts = ['x_embedder.proj.weight', 'blocks.0.mlp.bias'];
    const under = (prefix: string, n = 1) => parts.map((name): [string, unknown] => [`${prefix}${name}`, x(n, 1)]);
    const expected = ['model', 'ema'].flatMap((group) => parts.map((name) => `${group}/${name}`));
    for (const prefix of [
      '',
      'module.',
      '_orig_mod.',
      'net.',
      'model.',
      'state_dict.module._orig_mod.',
      'ema.',
      'a.b.',
    ])
      expect(names(new Map(under(prefix)))).toEqual(expected);
    expect(names(new Map([['state_dict', new Map([['net', new Map(under('module.'))]])]]))).toEqual(expected);
    const compiled = new Map<string, unknown>([under('')[0]!, ['blocks.0._orig_mod.mlp.bias', x(1, 1)]]);
    expect(names(compiled)).toEqual(expected);

    const both = new Map([
      ['state_dict', new Map([...under('model.'), ...under('ema_model.', 2), ['n_averaged', x(0)]])],
    ]);
    const { tensors, notes } = torchTensors(load(both), 'f');
    expect([...tensors.keys()]).toEqual(expected);
    expect(toFloat32(tensors.get('ema/blocks.0.mlp.bias')!)).not.toEqual(
      toFloat32(tensors.get('model/blocks.0.mlp.bias')!),
    );
    expect(notes).toEqual(['1 tensors beside the weights under "model." and "ema_model." are left out']);
    const error = failure(() => torchTensors(load(new Map([...under('a.'), ...under('b.')])), 'f'));
    expect(error).toMatchObject({ code: 'ambiguous', message: expect.stringContaining('"a." and "b."') });
  });

  it('names what it finds where there are no weights', () => {
    expect(failure(() => torchTensors(load(new Map([['epoch', 3]])), 'f')).message).toContain(
      'no weights under ["epoch"]',
    );
    expect(failure(() => torchTensors(load(x(1, 1)), 'f')).code).toBe('torch');
    expect(failure(() => torchTensors(load(3), 'f')).code).toBe('torch');
  });

  /** The reference's checkpoint: a frozen table first, two buffers among the parameters, moments by number. */
  const state = new Map<string, unknown>([
    ['pos_embed', x(0, 1, 4, 2)],
    ['embed.weight', x(1, 2, 3)],
    ['rope.freqs_cos', x(0, 4, 5)],
    ['rope.freqs_sin', x(0, 4, 5)],
    ['a.weight', x(2, 2, 2)],
    ['b.weight', x(3, 2, 2)],
  ]);
  const moment = (n: number, ...shape: number[]) =>
    new Map<string, unknown>([
      ['step', x(12)],
      ['exp_avg', x(n, ...shape)],
      ['exp_avg_sq', x(n + 0.5, ...shape)],
    ]);
  const moments = (...entries: [number, unknown][]) => new Map<unknown, unknown>(entries);
  const opt = (of: unknown, params: readonly number[]) =>
    new Map([
      ['state', of],
      [
        'param_groups',
        [
          new Map<string, unknown>([
            ['lr', 0.1],
            ['params', params],
          ]),
        ],
      ],
    ] as [string, unknown][]);
  const reference = (optimizer: unknown) =>
    new Map<string, unknown>([
      ['model', state],
      ['ema', new Map([...state].map(([name, tensor]) => [`module.${name}`, tensor]))],
      ['opt', optimizer],
      [
        'unigen',
        new Map([
          ['mod.module.a.weight', x(7, 2, 2)],
          ['mod.b.weight', x(8, 2, 2)],
          ['other', x(9, 1)],
        ]),
      ],
      ['config', new Map([['transport', new Map([['type', 'TrigFlow']])]])],
    ]);

  it('names the groups of the reference, its moments by the order of the parameters', () => {
    const optimizer = opt(moments([1, moment(1, 2, 3)], [2, moment(2, 2, 2)], [3, moment(3, 2, 2)]), [0, 1, 2, 3]);
    const { tensors, optimizerStep, config, notes } = torchTensors(load(reference(optimizer)), 'f');
    expect(notes).toEqual([]);
    expect(optimizerStep).toBe(12);
    expect(config?.has('transport')).toBe(true);
    const of = (group: string) => [...tensors.keys()].filter((name) => name.startsWith(group));
    expect(of('ema/')).toEqual([...state.keys()].map((name) => `ema/${name}`));
    expect(of('m/')).toEqual(['m/embed.weight', 'm/a.weight', 'm/b.weight']);
    expect(of('v/')).toEqual(['v/embed.weight', 'v/a.weight', 'v/b.weight']);
    expect(of('teacher/')).toEqual(['teacher/a.weight', 'teacher/b.weight']);
    for (const [i, name] of ['embed', 'a', 'b'].entries()) {
      expect(value(tensors, `m/${name}.weight`)).toBe(i + 1);
      expect(value(tensors, `v/${name}.weight`)).toBe(i + 1.5);
    }
  });

  it.each([
    ['an order that two ways fit', opt(moments([1, moment(1, 2, 2)]), [0, 1])],
    ['a shape that none has', opt(moments([1, moment(1, 9, 9)]), [0, 1, 2, 3])],
    ['more parameters than tensors', opt(moments([1, moment(1, 2, 3)]), [0, 1, 2, 3, 4, 5, 6])],
    ['no groups', new Map([['state', moments([1, moment(1, 2, 3)])]])],
  ])('leaves the moments out with a note for %s', (_, optimizer) => {
    const { tensors, notes } = torchTensors(load(reference(optimizer)), 'f');
    expect(notes).toHaveLength(1);
    expect([...tensors.keys()].some((name) => /^[mv]\//.test(name))).toBe(false);
  });
});
