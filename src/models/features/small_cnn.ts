import { conv2d } from '../../autograd/ops/convolution.ts';
import { linear } from '../../autograd/ops/linear.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Tensor, Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';
import type { FeatureNetwork } from './feature_network.ts';
import { type Layer, parseDescription } from './layers.ts';

/** A named tensor on the host. */
export interface HostWeights {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A layer with its weights on the device; `after` is the activation that follows and is fused. */
interface Built {
  readonly layer: Extract<Layer, { kind: 'conv' | 'fc' }>;
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly after: 'none' | 'relu';
}

/**
 * A network of convolutions, ReLU and linear layers, from a description (see parseDescription) and torch-shaped weights
 * conv1, conv2 .. and fc1, fc2 ..: conv [out, in, k, k], fc [out, in], each with a bias.
 * @throws ModelError for weights that are missing or do not fit the description.
 */
export function smallCnn(
  workspace: Workspace,
  description: string,
  weights: ReadonlyMap<string, HostWeights>,
  where: string,
): FeatureNetwork {
  const { body, head, height, width } = parseDescription(description, where);
  const first = body[0];
  if (first?.kind !== 'conv')
    throw new ModelError(
      `${where}: the feature network does not begin with a convolution`,
      'describe it from its input on',
    );
  const builder = new Builder(workspace, weights, where, [first.inputs, height, width]);
  const layers = builder.add(body);
  const dim = builder.features;
  const classifier = builder.add(head);
  return {
    name: where,
    dim,
    input: [first.inputs, height, width],
    fit: 'crop',
    forward(tape, images) {
      const features = run(tape, layers, images);
      return classifier.length === 0 ? { features } : { features, logits: run(tape, classifier, features) };
    },
    free() {
      for (const { weight, bias } of [...layers, ...classifier]) {
        workspace.free(weight);
        workspace.free(bias);
      }
    },
  };
}

function run(tape: Tape, layers: readonly Built[], images: Tensor): Tensor {
  let x = images; // [B, H, W, C] or [B, D]
  for (const { layer, weight, bias, after } of layers) {
    if (layer.kind === 'fc') {
      x = linear(tape, x.view(x.shape[0] as number, layer.inputs), weight, bias, { act: after }); // [B, out]
    } else {
      const window = {
        size: [layer.kernel, layer.kernel] as const,
        stride: layer.stride,
        padding: [layer.padding, layer.padding] as const,
      };
      x = conv2d(tape, x, weight, bias, window, { act: after }); // [B, H', W', out]
    }
  }
  return x;
}

/** Walks a description, keeps the size of what flows, and brings weights into the order of channel-last images. */
class Builder {
  readonly #workspace: Workspace;
  readonly #weights: ReadonlyMap<string, HostWeights>;
  readonly #where: string;
  #image: readonly [channels: number, height: number, width: number] | undefined;
  #flat = 0;
  readonly #count = { conv: 0, fc: 0 };

  constructor(
    workspace: Workspace,
    weights: ReadonlyMap<string, HostWeights>,
    where: string,
    image: [number, number, number],
  ) {
    this.#workspace = workspace;
    this.#weights = weights;
    this.#where = where;
    this.#image = image;
  }

  /** Width of what flows now. */
  get features(): number {
    if (this.#image) throw new ModelError(`${this.#where}: the features are images`, 'end the network with fc layers');
    return this.#flat;
  }

  add(layers: readonly Layer[]): Built[] {
    const built: Built[] = [];
    let flattened: readonly [number, number, number] | undefined;
    layers.forEach((layer, i) => {
      const before = layers[i - 1]?.kind;
      if (layer.kind === 'relu' && before !== 'conv' && before !== 'fc')
        throw new ModelError(`${this.#where}: relu follows ${before ?? 'nothing'}`, 'put it behind a conv or an fc');
      const after = layers[i + 1]?.kind === 'relu' ? 'relu' : 'none';
      if (layer.kind === 'flatten') {
        if (!this.#image) throw new ModelError(`${this.#where}: flatten follows fc`, 'flatten images only');
        flattened = this.#image;
        this.#flat = flattened[0] * flattened[1] * flattened[2];
        this.#image = undefined;
      } else if (layer.kind === 'conv') {
        built.push({ layer, after, ...this.#conv(layer) });
      } else if (layer.kind === 'fc') {
        built.push({ layer, after, ...this.#fc(layer, flattened) });
        flattened = undefined;
      }
    });
    return built;
  }

  #conv({ kernel, stride, padding, inputs, outputs }: Extract<Layer, { kind: 'conv' }>) {
    const name = `conv${++this.#count.conv}`;
    if (this.#image?.[0] !== inputs) {
      throw new ModelError(
        `${this.#where}: ${name} takes ${inputs} channels and gets ${this.#image?.[0] ?? 'no image'}`,
        'correct the description',
      );
    }
    const size = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1;
    this.#image = [outputs, size(this.#image[1]), size(this.#image[2])];
    // [out, in, kh, kw] -> [out, kh, kw, in]
    const ordered = channelLast(
      this.#read(`${name}.weight`, [outputs, inputs, kernel, kernel]),
      outputs,
      inputs,
      kernel * kernel,
    );
    return this.#place(name, [outputs, inputs * kernel * kernel], ordered);
  }

  #fc({ inputs, outputs }: Extract<Layer, { kind: 'fc' }>, image: readonly [number, number, number] | undefined) {
    const name = `fc${++this.#count.fc}`;
    if (this.#image || this.#flat !== inputs) {
      throw new ModelError(
        `${this.#where}: ${name} takes ${inputs} numbers and gets ${this.#image ?? this.#flat}`,
        'correct the description',
      );
    }
    this.#flat = outputs;
    const given = this.#read(`${name}.weight`, [outputs, inputs]);
    const ordered = image ? channelLast(given, outputs, image[0], image[1] * image[2]) : given;
    return this.#place(name, [outputs, inputs], ordered);
  }

  #place(name: string, shape: readonly [number, number], values: Float32Array<ArrayBuffer>) {
    const weight = this.#workspace.create('parameter', `${name}.weight`, shape);
    const bias = this.#workspace.create('parameter', `${name}.bias`, [shape[0]]);
    this.#workspace.stream.write(weight, values);
    this.#workspace.stream.write(bias, this.#read(`${name}.bias`, [shape[0]]));
    return { weight, bias };
  }

  #read(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
    const found = this.#weights.get(name);
    if (!found || found.shape.join() !== shape.join()) {
      throw new ModelError(
        `${this.#where}: ${name} ${found ? `is [${found.shape}]` : 'is missing'}, its description asks for [${shape}]`,
        'give the weights that belong to the description',
      );
    }
    return found.data;
  }
}

/** [rows, channels, inner] -> [rows, inner, channels]. */
export function channelLast(values: Float32Array<ArrayBuffer>, rows: number, channels: number, inner: number) {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < inner; i++)
        out[(r * inner + i) * channels + c] = values[(r * channels + c) * inner + i] as number;
  return out;
}
