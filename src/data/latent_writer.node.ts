import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { IoError, systemReason } from '../io/errors.ts';
import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import type { WritableTensor } from '../io/safetensors.ts';
import { type LatentOrigin, originMetadata } from './latent_origin.ts';

/** Bytes of a shard's latents, about: few files, and what is held in memory until one is written. */
const SHARD_BYTES = 2 ** 28;

/** Latents that belong together, each [n, C, H, W] flattened. */
export interface LatentPart {
  readonly latents: Float32Array;
  /** Of the mirrored images. */
  readonly flipped?: Float32Array | undefined;
  /** [n]. */
  readonly labels: readonly number[];
}

/** Writes latents as a folder of shards, which LatentShards reads: 00000.safetensors and so on, in order. */
export class LatentShardWriter {
  /** Samples so far. */
  size = 0;
  readonly #folder: string;
  readonly #shape: readonly [number, number, number];
  readonly #metadata: { [key: string]: string };
  readonly #most: number;
  readonly #written: string[] = [];
  #parts: LatentPart[] = [];
  #held = 0;

  /**
   * @param folder new or empty. @param shape C, H, W. @param most samples a shard; by their bytes if left out.
   * @throws IoError where the folder cannot be made.
   */
  constructor(folder: string, shape: readonly [number, number, number], origin: LatentOrigin, most?: number) {
    const [c, h, w] = shape;
    this.#folder = folder;
    this.#shape = shape;
    this.#metadata = originMetadata(origin);
    this.#most = most ?? Math.max(1, Math.floor(SHARD_BYTES / (4 * c * h * w)));
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw new IoError('write', folder, `it cannot be made (${systemReason(error)})`, 'give another folder', error);
    }
  }

  /** Takes the next samples; all parts have mirrored ones, or none has. @throws IoError where a shard cannot be written. */
  add(part: LatentPart): void {
    this.#parts.push(part);
    this.#held += part.labels.length;
    this.size += part.labels.length;
    if (this.#held >= this.#most) this.#write();
  }

  /** Writes what is held. @throws IoError. */
  close(): void {
    if (this.#held > 0) this.#write();
  }

  /** Leaves nothing behind. */
  discard(): void {
    for (const path of this.#written) rmSync(path, { force: true });
    try {
      rmdirSync(this.#folder);
    } catch {} // it holds what is not ours
  }

  #write(): void {
    const path = join(this.#folder, `${String(this.#written.length).padStart(5, '0')}.safetensors`);
    const parts = this.#parts;
    const shape = [this.#held, ...this.#shape];
    const labels = BigInt64Array.from(
      parts.flatMap((part) => part.labels),
      BigInt,
    );
    const flipped = parts.flatMap((part) => part.flipped ?? []);
    const tensors: [string, WritableTensor][] = [
      ['latents', { shape, data: joined(parts.map((part) => part.latents)) }],
    ];
    if (flipped.length > 0) tensors.push(['latents_flip', { shape, data: joined(flipped) }]);
    tensors.push(['labels', { dtype: 'I64', shape: [this.#held], data: new Uint8Array(labels.buffer) }]);
    writeSafetensorsAtomic(path, tensors, this.#metadata);
    this.#written.push(path);
    [this.#parts, this.#held] = [[], 0];
  }
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
