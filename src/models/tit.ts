import { activate } from '../autograd/ops/activation.ts';
import { selfAttention } from '../autograd/ops/attention.ts';
import { cast } from '../autograd/ops/cast.ts';
import { embedding, timestepEmbedding, waveEmbedding } from '../autograd/ops/embedding.ts';
import { linear, linearGatedResidual, linearSwiglu } from '../autograd/ops/linear.ts';
import { normModulate } from '../autograd/ops/norm.ts';
import { patchify, unpatchify } from '../autograd/ops/patch.ts';
import { add } from '../autograd/ops/residual.ts';
import type { Tape } from '../autograd/tape.ts';
import type { ConstantSpec, GuidanceInput, InitSpec, Training, VelocityNetwork, Weights } from '../nn/network.ts';
import { geometricFrequencies, ropeTables, sincosPositions } from '../nn/tables.ts';
import { sideBySide, type Tensor } from '../tensor/index.ts';
import { type DiTConfig, ModelError, validateDiT } from './config.ts';
import { heldCols, heldRows, swigluHidden } from './swiglu_hidden.ts';

const EPS = 1e-6;
const modulationOf = (of: string) => `${of}.adaLN_modulation.1`;
const TIME_FREQUENCIES = 256;

/** Switches of the TiT block; all of them off but shift is the SiT / DiT block. */
export interface TiTOptions {
  /** Normalise q and k. */
  use_qknorm: boolean;
  /** SwiGLU MLP instead of GELU-tanh. */
  use_swiglu: boolean;
  /** Rotate q and k. */
  use_rope: boolean;
  /** RMSNorm instead of LayerNorm, for the blocks and for q and k. */
  use_rmsnorm: boolean;
  /** No shift in the blocks' modulation: four chunks instead of six. */
  wo_shift: boolean;
  /** Twice the output channels, of which the first half is the velocity. */
  learn_sigma: boolean;
  /** A second time embedding, of t - tt: the velocity is the mean one from t to tt (RCGM). */
  two_times?: boolean;
  /** Embeddings of a guidance scale and of the times between which it acts: the velocity is a guided one, in one pass. */
  guidance_input?: boolean;
}

/**
 * The highest frequency of guidance's waves, the lowest is 1. A time's go from 1 down, which tell the strengths apart too little to be
 * learned in a short training (docs/what-did-not-work.md).
 */
const GUIDANCE_FREQUENCY = 128;

/** What the embeddings of guidance are of, and the last part of their names. */
const GUIDANCE = [
  ['strength', 'scale'],
  ['from', 'from'],
  ['to', 'to'],
] as const;

/** The settings of a TiT: those of every network, and its own. */
export type TiTConfig = DiTConfig &
  TiTOptions & {
    /** Trained weights in the norms of the blocks, of the last layer, and of q and k: LightningDiT. */
    norm_weights?: boolean;
  };

/** TiT, the transformer of UCGM: DiT with RMSNorm, q/k norm, RoPE and SwiGLU. Parameter names are the reference's. */
export function tit(config: TiTConfig): VelocityNetwork {
  validateDiT(config, config.use_rope);
  const {
    input_size: size,
    in_channels: channels,
    patch_size: patch,
    hidden_size: width,
    depth,
    num_heads: heads,
  } = config;
  const conditional = config.num_classes >= 2;
  const guidanceInput = config.guidance_input === true;
  if (guidanceInput && !conditional)
    throw new ModelError(
      `guidance_input for num_classes ${config.num_classes}`,
      'leave guidance_input out: guidance is towards a class',
    );
  const norm = config.use_rmsnorm ? 'rms' : 'layer';
  const grid = size / patch;
  const headDim = width / heads;
  const hidden = config.use_swiglu ? swigluHidden(width) : 4 * width;
  const chunks = config.wo_shift ? 4 : 6;
  const outChannels = config.learn_sigma ? 2 * channels : channels;
  const weighted = config.norm_weights === true;
  const qkBias = config.use_qknorm && !config.use_rmsnorm; // the reference's LayerNorm of q and k has weight and bias
  const twoTimes = config.two_times === true;
  const qkAffine = qkBias || (config.use_qknorm && weighted);

  const modulated = [...Array.from({ length: depth }, (_, i) => `blocks.${i}`), 'final_layer'];

  const parameters = (): InitSpec[] => {
    const specs: InitSpec[] = [];
    const dense = (name: string, out: number, into: number, init: InitSpec['init'] = 'xavier') =>
      specs.push(
        { name: `${name}.weight`, shape: [out, into], init },
        { name: `${name}.bias`, shape: [out], init: 'zeros' },
      );
    const modulation = (of: string, out: number) => {
      const init = 'zeros' as const;
      const name = modulationOf(of);
      specs.push(
        { name: `${name}.weight`, shape: [out, width], init, beside: 'modulation weights' },
        { name: `${name}.bias`, shape: [out], init, beside: 'modulation biases' },
      );
    };
    specs.push({ name: 'x_embedder.proj.weight', shape: [width, channels, patch, patch], init: 'xavier' });
    specs.push({ name: 'x_embedder.proj.bias', shape: [width], init: 'zeros' });
    dense('t_embedder.mlp.0', width, TIME_FREQUENCIES, 'normal0.02');
    dense('t_embedder.mlp.2', width, width, 'normal0.02');
    if (twoTimes) {
      dense('tt_embedder.mlp.0', width, TIME_FREQUENCIES, 'normal0.02');
      dense('tt_embedder.mlp.2', width, width, 'zeros'); // so that a model of one time goes on as it was
    }
    if (guidanceInput) {
      for (const [, name] of GUIDANCE) {
        dense(`guidance_embedder.${name}.mlp.0`, width, TIME_FREQUENCIES, 'normal0.02');
        dense(`guidance_embedder.${name}.mlp.2`, width, width, 'zeros'); // so that a model without goes on as it was
      }
    }
    if (conditional)
      specs.push({
        name: 'y_embedder.embedding_table.weight',
        shape: [config.num_classes + 1, width],
        init: 'normal0.02',
      });
    for (let i = 0; i < depth; i++) {
      const block = `blocks.${i}`;
      if (weighted) {
        for (const which of ['norm1', 'norm2'])
          specs.push({ name: `${block}.${which}.weight`, shape: [width], init: 'ones' });
      }
      dense(`${block}.attn.qkv`, 3 * width, width);
      if (qkAffine) {
        for (const which of ['q_norm', 'k_norm']) {
          specs.push({ name: `${block}.attn.${which}.weight`, shape: [headDim], init: 'ones' });
          if (qkBias) specs.push({ name: `${block}.attn.${which}.bias`, shape: [headDim], init: 'zeros' });
        }
      }
      dense(`${block}.attn.proj`, width, width);
      if (config.use_swiglu) {
        const [w12, w3] = [`${block}.mlp.w12`, `${block}.mlp.w3`];
        specs.push(
          { name: `${w12}.weight`, shape: [2 * hidden, width], init: 'xavier', held: heldRows(2, hidden, width) },
          { name: `${w12}.bias`, shape: [2 * hidden], init: 'zeros', held: heldRows(2, hidden) },
          { name: `${w3}.weight`, shape: [width, hidden], init: 'xavier', held: heldCols(width, hidden) },
          { name: `${w3}.bias`, shape: [width], init: 'zeros' },
        );
      } else {
        dense(`${block}.mlp.fc1`, hidden, width);
        dense(`${block}.mlp.fc2`, width, hidden);
      }
      modulation(block, chunks * width);
    }
    if (weighted) specs.push({ name: 'final_layer.norm_final.weight', shape: [width], init: 'ones' });
    modulation('final_layer', 2 * width);
    dense('final_layer.linear', patch * patch * outChannels, width, 'zeros');
    return specs;
  };

  const constants = (): ConstantSpec[] => {
    const specs: ConstantSpec[] = [
      { name: 'pos_embed', shape: [grid * grid, width], data: sincosPositions(grid, width) },
    ];
    if (guidanceInput) {
      const data = geometricFrequencies(TIME_FREQUENCIES / 2, GUIDANCE_FREQUENCY);
      specs.push({ name: 'guidance_frequencies', shape: [data.length], data });
    }
    if (config.use_rope) {
      const { cos, sin } = ropeTables(grid, headDim);
      const data = new Float32Array(2 * cos.length);
      data.set(cos);
      data.set(sin, cos.length);
      specs.push({ name: 'rope', shape: [2, grid * grid, headDim], data });
    }
    return specs;
  };

  /** Waves [B, 256] of a number through its MLP: [B, D]. */
  const embeddingOf = (tape: Tape, w: Weights, name: string, waves: Tensor): Tensor => {
    const p = (suffix: string) => w.get(`${name}.mlp.${suffix}`);
    const hiddenWaves = linear(tape, waves, p('0.weight'), p('0.bias'), { act: 'silu' }); // [B, D]
    return linear(tape, hiddenWaves, p('2.weight'), p('2.bias')); // [B, D]
  };
  const timeEmbedding = (tape: Tape, w: Weights, name: string, t: Tensor): Tensor =>
    embeddingOf(tape, w, name, timestepEmbedding(tape, t, TIME_FREQUENCIES)); // [B, D]

  /** Conditioning: time embeddings plus class row, through SiLU once for all modulations. */
  const condition = (
    tape: Tape,
    w: Weights,
    t: Tensor,
    y: Tensor,
    span: Tensor | undefined,
    guidance: GuidanceInput | undefined,
  ): Tensor => {
    let c = timeEmbedding(tape, w, 't_embedder', t); // [B, D]
    if (twoTimes) {
      if (!span) throw new ModelError('a network of two times was asked at one', 'give span, t - tt of each sample');
      c = add(tape, c, timeEmbedding(tape, w, 'tt_embedder', span)); // [B, D]
    }
    if (guidanceInput) {
      if (!guidance)
        throw new ModelError('a network that takes guidance was given none', 'give it last, a strength of 0 for none');
      for (const [key, name] of GUIDANCE) {
        const waves = waveEmbedding(tape, guidance[key], w.get('guidance_frequencies'), { slope: 1, shift: 0 }); // [B, 256]
        c = add(tape, c, embeddingOf(tape, w, `guidance_embedder.${name}`, waves)); // [B, D]
      }
    }
    if (conditional) c = add(tape, c, embedding(tape, w.get('y_embedder.embedding_table.weight'), y)); // [B, D]
    return cast(tape, activate(tape, c, 'silu'), tape.dtype); // [B, D]
  };

  /** The modulation of `of`, a block or the last layer: its columns of `all` from `first` on, or of a product of its own, [B, 6D] (4D without shift) or [B, 2D]. */
  const modulationFrom = (tape: Tape, w: Weights, of: string, c: Tensor, all: Tensor | undefined, first: number) => {
    if (all) return { m: all, first };
    const p = (suffix: string) => w.get(`${modulationOf(of)}.${suffix}`);
    return { m: linear(tape, c, p('weight'), p('bias'), { dtype: 'f32' }), first: 0 };
  };

  /**
   * The modulations of all blocks and the last layer by one product, [B, 6D depth + 2D]; undefined where their weights do not lie side by
   * side, it would be larger than q, k and v, or gradients are sent: a third of all would wait for the last block's.
   */
  const allModulations = (tape: Tape, w: Weights, c: Tensor): Tensor | undefined => {
    if (tape.sends || chunks * depth + 2 > 3 * grid * grid) return undefined;
    const all = (suffix: string) => sideBySide(modulated.map((of) => w.get(`${modulationOf(of)}.${suffix}`)));
    const [weight, bias] = [all('weight'), all('bias')];
    return weight && bias && linear(tape, c, weight, bias, { dtype: 'f32' });
  };

  const block = (tape: Tape, w: Weights, i: number, x: Tensor, c: Tensor, all: Tensor | undefined): Tensor => {
    const name = `blocks.${i}`;
    const p = (suffix: string) => w.get(`${name}.${suffix}`);
    const rows = grid * grid;
    const { m, first } = modulationFrom(tape, w, name, c, all, i * chunks * width);
    const [shift1, scale1, gate1, shift2, scale2, gate2] = (
      config.wo_shift ? [undefined, 0, 1, undefined, 2, 3] : [0, 1, 2, 3, 4, 5]
    ).map((chunk) => (chunk === undefined ? undefined : first + chunk * width)) as number[];

    const modulate = (which: string, at: Tensor, scale: number, shift: number | undefined) =>
      normModulate(tape, at, {
        kind: norm,
        eps: EPS,
        ...(weighted && { weight: p(`${which}.weight`) }),
        modulation: { from: m, rows, scale, ...(shift !== undefined && { shift }) },
      });

    let h = modulate('norm1', x, scale1 as number, shift1); // [B, N, D]
    h = linear(tape, h, p('attn.qkv.weight'), p('attn.qkv.bias')); // [B, N, 3D]
    h = selfAttention(tape, h, {
      heads,
      norm: config.use_qknorm ? norm : 'none',
      eps: config.use_rmsnorm ? EPS : 1e-5, // torch's LayerNorm default, which the reference leaves for q and k
      ...(qkAffine && {
        affine: {
          qWeight: p('attn.q_norm.weight'),
          kWeight: p('attn.k_norm.weight'),
          ...(qkBias && { qBias: p('attn.q_norm.bias'), kBias: p('attn.k_norm.bias') }),
        },
      }),
      ...(config.use_rope && { rope: w.get('rope') }),
    }); // [B, N, D]
    const attended = linearGatedResidual(tape, h, p('attn.proj.weight'), p('attn.proj.bias'), x, {
      from: m,
      offset: gate1 as number,
      rows,
    }); // [B, N, D]

    h = modulate('norm2', attended, scale2 as number, shift2); // [B, N, D]
    if (config.use_swiglu) {
      h = linearSwiglu(tape, h, p('mlp.w12.weight'), p('mlp.w12.bias')); // [B, N, H]
    } else {
      h = linear(tape, h, p('mlp.fc1.weight'), p('mlp.fc1.bias'), { act: 'gelu' }); // [B, N, 4D]
    }
    const last = config.use_swiglu ? 'mlp.w3' : 'mlp.fc2';
    return linearGatedResidual(tape, h, p(`${last}.weight`), p(`${last}.bias`), attended, {
      from: m,
      offset: gate2 as number,
      rows,
    }); // [B, N, D]
  };

  const forward = (
    tape: Tape,
    w: Weights,
    x: Tensor,
    t: Tensor,
    y: Tensor,
    span?: Tensor,
    _training?: Training,
    guidance?: GuidanceInput,
  ): Tensor => {
    const c = condition(tape, w, t, y, span, guidance); // [B, D]
    const patches = patchify(tape, x, patch, 'chw'); // [B, N, C p p]
    let h = linear(tape, patches, w.get('x_embedder.proj.weight'), w.get('x_embedder.proj.bias'), {
      table: w.get('pos_embed'),
      dtype: tape.dtype,
    }); // [B, N, D]
    const all = allModulations(tape, w, c);
    for (let i = 0; i < depth; i++) {
      const before = h;
      h = tape.block([before, all ?? c], () => block(tape, w, i, before, c, all)); // [B, N, D]
      if (!tape.recording) tape.release(before); // dead: it was this block's alone
    }
    const { m, first } = modulationFrom(tape, w, 'final_layer', c, all, depth * chunks * width);
    h = normModulate(tape, cast(tape, h, 'f32'), {
      kind: norm,
      eps: EPS,
      ...(weighted && { weight: w.get('final_layer.norm_final.weight') }),
      modulation: { from: m, rows: grid * grid, shift: first, scale: first + width },
    }); // [B, N, D]
    h = linear(tape, h, w.get('final_layer.linear.weight'), w.get('final_layer.linear.bias')); // [B, N, p p C']
    return unpatchify(tape, h, [outChannels, size, size], patch, 'hwc', channels); // [B, C, H, W]
  };

  return {
    input: [channels, size, size],
    numClasses: config.num_classes,
    parameters: parameters(),
    constants: constants(),
    twoTimes,
    guidanceInput,
    halves: true,
    forward,
  };
}
