import { ModelError } from '../config.ts';

/** One layer of a feature network. */
export type Layer =
  | { kind: 'conv'; kernel: number; stride: number; padding: number; inputs: number; outputs: number }
  | { kind: 'relu' }
  | { kind: 'flatten' }
  | { kind: 'fc'; inputs: number; outputs: number };

/** A feature network in words: the layers up to the features, those from there to class logits, and its input. */
export interface NetworkDescription {
  readonly body: readonly Layer[];
  readonly head: readonly Layer[];
  readonly height: number;
  readonly width: number;
}

const FIX =
  'describe it as "conv3x3 s2 p1 1-32, relu, flatten (c,h,w), fc 1568-128, relu = features; fc 128-10. Input 28x28 in [-1,1]"';

/**
 * Reads the description that a file of feature weights carries in its metadata:
 * `conv3x3 s2 p1 1-32, relu, flatten (c,h,w), fc 3136-128, relu = features; fc 128-10. Input 28x28 in [-1,1].`
 * What stands before `= features` makes them; what follows the semicolon makes class logits of them, and may be left out.
 * @throws ModelError for words that are no layer, and for an input that is not images in -1..1.
 */
export function parseDescription(text: string, where: string): NetworkDescription {
  const match = /^\s*(.*?)\s*= features\s*(?:;\s*(.*?))?\.\s*Input (\d+)x(\d+) in \[-1, ?1\]/s.exec(text);
  if (!match) throw new ModelError(`${where}: the description of the feature network cannot be read`, FIX);
  const [, body, head, height, width] = match;
  const layers = (list: string | undefined) =>
    list ? list.split(/,(?![^(]*\))/).map((word) => layerOf(word.trim(), where)) : [];
  return { body: layers(body), head: layers(head), height: Number(height), width: Number(width) };
}

function layerOf(word: string, where: string): Layer {
  if (word === 'relu') return { kind: 'relu' };
  if (/^flatten( \(c, ?h, ?w\))?$/.test(word)) return { kind: 'flatten' };
  const conv = /^conv(\d+)x(\d+)(?: s(\d+))?(?: p(\d+))? (\d+)-(\d+)$/.exec(word);
  if (conv && conv[1] === conv[2]) {
    const [kernel, , stride, padding, inputs, outputs] = conv.slice(1).map((v) => Number(v ?? Number.NaN));
    return {
      kind: 'conv',
      kernel: kernel as number,
      stride: stride || 1,
      padding: padding || 0,
      inputs: inputs as number,
      outputs: outputs as number,
    };
  }
  const fc = /^fc (\d+)-(\d+)$/.exec(word);
  if (fc) return { kind: 'fc', inputs: Number(fc[1]), outputs: Number(fc[2]) };
  throw new ModelError(
    `${where}: the feature network has a layer "${word.slice(0, 80)}"`,
    `use conv, relu, flatten and fc; ${FIX}`,
  );
}
