import { writeFileSync } from 'node:fs';

/** A tensor of any dtype, as its bytes. */
export interface RawWritable {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: ArrayBufferView;
}

export const f32 = (shape: readonly number[], values: ArrayLike<number>): RawWritable => ({
  dtype: 'F32',
  shape,
  bytes: Float32Array.from(values),
});

export const i64 = (values: readonly number[]): RawWritable => ({
  dtype: 'I64',
  shape: [values.length],
  bytes: BigInt64Array.from(values, BigInt),
});

/** Writes a safetensors file, written here once more so that the tests do not read with what they wrote. */
export function writeRaw(path: string, tensors: { readonly [name: string]: RawWritable }): void {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const begin = end;
    end += bytes.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = Object.values(tensors).map(({ bytes: b }) => Buffer.from(b.buffer, b.byteOffset, b.byteLength));
  writeFileSync(path, Buffer.concat([length, header, ...data]));
}

/** A value of a latent that tells where it stands; the mirrored ones are negative. */
export const latentValue = (sample: number, at: number, flipped: boolean): number =>
  Math.fround((flipped ? -1 : 1) * (1 + sample + Math.sin(at + sample)));

export interface ShardOptions {
  readonly first: number;
  readonly count: number;
  readonly shape?: readonly [number, number, number];
  readonly flips?: boolean;
  readonly classes?: number;
}

/** Writes samples first .. first + count - 1 of latentValue as a shard of the reference's format; label = sample mod classes. */
export function writeShard(path: string, options: ShardOptions): void {
  const { first, count, shape = [2, 2, 3], flips = true, classes = 5 } = options;
  const one = shape[0] * shape[1] * shape[2];
  const latents = (flipped: boolean) =>
    f32(
      [count, ...shape],
      Float32Array.from({ length: count * one }, (_, i) => latentValue(first + Math.floor(i / one), i % one, flipped)),
    );
  const labels = i64(Array.from({ length: count }, (_, i) => (first + i) % classes));
  writeRaw(path, { latents: latents(false), ...(flips && { latents_flip: latents(true) }), labels });
}
