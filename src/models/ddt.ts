import { activate } from '../autograd/ops/activation.ts';
import { selfAttention } from '../autograd/ops/attention.ts';
import { cast } from '../autograd/ops/cast.ts';
import { embedding, timestepEmbedding } from '../autograd/ops/embedding.ts';
import { linear, linearGatedResidual, linearSwiglu } from '../autograd/ops/linear.ts';
import { normModulate } from '../autograd/ops/norm.ts';
import { patchify, unpatchify } from '../autograd/ops/patch.ts';
import { add, addPerSample } from '../autograd/ops/residual.ts';
import { stackRows } from '../autograd/ops/stack.ts';
import type { Tape } from '../autograd/tape.ts';
import type { InitSpec, VelocityNetwork, Weights } from '../nn/network.ts';
import { stretchedRopeTables } from '../nn/tables.ts';
import type { Held, Tensor } from '../tensor/index.ts';
import { type DiTConfig, ModelError, validateDiT } from './config.ts';
import { heldCols, heldRows, swigluHidden } from './swiglu_hidden.ts';

const EPS = 1e-6;
const TIME_FREQUENCIES = 256;
const TIME_PERIOD = 10;

/** What a DDT has beside the settings of every network. */
export interface DDTOptions {
  /** Blocks at the front that make the condition; the others, the decoder, are modulated by it token by token. */
  num_encoder_blocks: number;
}

/**
 * DDT, the decoupled diffusion transformer (Wang et al. 2025): an encoder conditioned by time and class makes a condition for
 * each token, by which the decoder is modulated. depth counts both. Parameter names are the reference's.
 */
export function ddt(config: DiTConfig & DDTOptions): VelocityNetwork {
  validateDiT(config, true);
  const {
    input_size: size,
    in_channels: channels,
    patch_size: patch,
    hidden_size: width,
    depth,
    num_heads: heads,
  } = config;
  const { num_encoder_blocks: encoder } = config;
  if (!Number.isInteger(encoder) || encoder < 0 || encoder > depth) {
    throw new ModelError(`num_encoder_blocks is ${encoder}`, `give a whole number from 0 to depth, ${depth}`);
  }
  const conditional = config.num_classes >= 2;
  const grid = size / patch;
  const tokens = grid * grid;
  const headDim = width / heads;
  const hidden = swigluHidden(width);
  const pixels = channels * patch * patch;

  const parameters: InitSpec[] = [];
  const weight = (name: string, shape: number[], init: InitSpec['init'] = 'xavier', held?: Held) =>
    parameters.push({ name, shape, init, held });
  const dense = (name: string, out: number, into: number, init: InitSpec['init'] = 'xavier') => {
    weight(`${name}.weight`, [out, into], init);
    weight(`${name}.bias`, [out], 'zeros');
  };
  for (const name of ['x_embedder', 's_embedder']) dense(`${name}.proj`, width, pixels);
  dense('t_embedder.mlp.0', width, TIME_FREQUENCIES, 'normal0.02');
  dense('t_embedder.mlp.2', width, width, 'normal0.02');
  if (conditional) weight('y_embedder.embedding_table.weight', [config.num_classes + 1, width], 'normal0.02');
  for (let i = 0; i < depth; i++) {
    const block = `blocks.${i}`;
    for (const norm of ['norm1', 'norm2']) weight(`${block}.${norm}.weight`, [width], 'ones');
    weight(`${block}.attn.qkv.weight`, [3 * width, width]);
    for (const norm of ['q_norm', 'k_norm']) weight(`${block}.attn.${norm}.weight`, [headDim], 'ones');
    dense(`${block}.attn.proj`, width, width);
    for (const part of ['w1', 'w3'])
      weight(`${block}.mlp.${part}.weight`, [hidden, width], 'xavier', heldRows(1, hidden, width));
    weight(`${block}.mlp.w2.weight`, [width, hidden], 'xavier', heldCols(width, hidden));
    dense(`${block}.adaLN_modulation.0`, 6 * width, width, 'zeros');
  }
  dense('final_layer.adaLN_modulation.0', 2 * width, width, 'zeros');
  dense('final_layer.linear', pixels, width, 'zeros');

  const rope = (): Float32Array<ArrayBuffer> => {
    const { cos, sin } = stretchedRopeTables(grid, headDim);
    const data = new Float32Array(2 * cos.length);
    data.set(cos);
    data.set(sin, cos.length);
    return data;
  };

  /** One block; `rows` tokens share a row of the condition c: all of a sample, or one. */
  const block = (tape: Tape, w: Weights, name: string, x: Tensor, c: Tensor, rows: number): Tensor => {
    const p = (suffix: string) => w.get(`${name}.${suffix}`);
    const m = linear(tape, c, p('adaLN_modulation.0.weight'), p('adaLN_modulation.0.bias'), { dtype: 'f32' }); // [B, 6D] or [B N, 6D]
    const modulate = (norm: string, at: Tensor, shift: number) =>
      normModulate(tape, at, {
        kind: 'rms',
        eps: EPS,
        weight: p(`${norm}.weight`),
        modulation: { from: m, rows, shift, scale: shift + width },
      });
    let h = modulate('norm1', x, 0); // [B, N, D]
    h = linear(tape, h, p('attn.qkv.weight')); // [B, N, 3D]
    h = selfAttention(tape, h, {
      heads,
      norm: 'rms',
      eps: EPS,
      affine: { qWeight: p('attn.q_norm.weight'), kWeight: p('attn.k_norm.weight') },
      rope: w.get('rope'),
    }); // [B, N, D]
    const gate1 = { from: m, offset: 2 * width, rows };
    const attended = linearGatedResidual(tape, h, p('attn.proj.weight'), p('attn.proj.bias'), x, gate1); // [B, N, D]
    h = modulate('norm2', attended, 3 * width); // [B, N, D]
    const w13 = stackRows(tape, [p('mlp.w1.weight'), p('mlp.w3.weight')]); // [2H, D]
    h = linearSwiglu(tape, h, w13); // [B, N, H]
    const gate2 = { from: m, offset: 5 * width, rows };
    return linearGatedResidual(tape, h, p('mlp.w2.weight'), undefined, attended, gate2); // [B, N, D]
  };

  const forward = (tape: Tape, w: Weights, x: Tensor, t: Tensor, y: Tensor): Tensor => {
    const frequencies = timestepEmbedding(tape, t, TIME_FREQUENCIES, TIME_PERIOD); // [B, 256]
    const first = linear(tape, frequencies, w.get('t_embedder.mlp.0.weight'), w.get('t_embedder.mlp.0.bias'), {
      act: 'silu',
    }); // [B, D]
    const time = linear(tape, first, w.get('t_embedder.mlp.2.weight'), w.get('t_embedder.mlp.2.bias')); // [B, D]
    const labelled = conditional
      ? add(tape, time, embedding(tape, w.get('y_embedder.embedding_table.weight'), y))
      : time;
    const c = cast(tape, activate(tape, labelled, 'silu'), tape.dtype); // [B, D]
    const input = { dtype: tape.dtype };

    const patches = patchify(tape, x, patch, 'chw'); // [B, N, C p p]
    let s = linear(tape, patches, w.get('s_embedder.proj.weight'), w.get('s_embedder.proj.bias'), input); // [B, N, D]
    for (let i = 0; i < encoder; i++) {
      const before = s;
      s = tape.block([before, c], () => block(tape, w, `blocks.${i}`, before, c, tokens)); // [B, N, D]
      if (!tape.recording) tape.release(before); // dead: it was this block's alone
    }
    s = activate(tape, addPerSample(tape, s, time), 'silu'); // [B, N, D]
    let h = linear(tape, patches, w.get('x_embedder.proj.weight'), w.get('x_embedder.proj.bias'), input); // [B, N, D]
    for (let i = encoder; i < depth; i++) {
      const before = h;
      const condition = s;
      h = tape.block([before, condition], () => block(tape, w, `blocks.${i}`, before, condition, 1)); // [B, N, D]
      if (!tape.recording) tape.release(before);
    }
    const m = linear(
      tape,
      s,
      w.get('final_layer.adaLN_modulation.0.weight'),
      w.get('final_layer.adaLN_modulation.0.bias'),
      { dtype: 'f32' },
    ); // [B, N, 2D]
    h = normModulate(tape, cast(tape, h, 'f32'), {
      kind: 'layer',
      eps: EPS,
      modulation: { from: m, rows: 1, shift: 0, scale: width },
    }); // [B, N, D]
    h = linear(tape, h, w.get('final_layer.linear.weight'), w.get('final_layer.linear.bias')); // [B, N, C p p]
    return unpatchify(tape, h, [channels, size, size], patch, 'chw', channels); // [B, C, H, W]
  };

  return {
    input: [channels, size, size],
    numClasses: config.num_classes,
    parameters,
    constants: [{ name: 'rope', shape: [2, tokens, headDim], data: rope() }],
    halves: true,
    forward,
  };
}
