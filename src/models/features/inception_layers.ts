/** Height and width. */
type Pair = readonly [number, number];

/** What walks through Inception-v3: images on a device, f64 arrays of a test, or nothing but numbers of channels. */
export interface InceptionBackend<T> {
  /** Convolution without bias of its own, batch norm and ReLU under one name. */
  conv(x: T, name: string, channels: number, size: Pair, stride: number, padding: Pair): T;
  /** Pooling over 3 x 3; padding takes no part in a mean. */
  pool(x: T, kind: 'max' | 'mean', stride: number, padding: number): T;
  /** Channels side by side. */
  concat(parts: readonly T[]): T;
  /** Mean over all pixels. */
  mean(x: T): T;
  /** Runs a part whose result alone is needed afterwards. */
  part(x: T, body: () => T): T;
}

/** Width of the features. */
export const INCEPTION_FEATURES = 2048;

/**
 * Inception-v3 (Szegedy et al. 2015) as the FID community has it: mean pooling does not count padding, and the last block pools
 * by the maximum. Takes images in -1..1, gives the 2,048 means before the classifier. `divisor` divides every number of channels
 * (a power of two up to 16), for tests.
 */
export function inception<T>(backend: InceptionBackend<T>, images: T, divisor = 1): T {
  const none: Pair = [0, 0];
  const conv = (x: T, name: string, channels: number, size: Pair, padding: Pair = none, stride = 1) =>
    backend.conv(x, name, channels / divisor, size, stride, padding);
  const one = (x: T, name: string, channels: number) => conv(x, name, channels, [1, 1]);
  const three = (x: T, name: string, channels: number) => conv(x, name, channels, [3, 3], [1, 1]);
  const shrink = (x: T, name: string, channels: number) => conv(x, name, channels, [3, 3], none, 2);
  const wide = (x: T, name: string, channels: number, n: number) => conv(x, name, channels, [1, n], [0, (n - 1) / 2]);
  const tall = (x: T, name: string, channels: number, n: number) => conv(x, name, channels, [n, 1], [(n - 1) / 2, 0]);
  const around = (x: T, kind: 'max' | 'mean') => backend.pool(x, kind, 1, 1);
  const block = (x: T, branches: (b: T) => readonly T[]) => backend.part(x, () => backend.concat(branches(x)));

  const blockA = (x: T, n: string, pooled: number) =>
    block(x, (b) => [
      one(b, `${n}.branch1x1`, 64),
      conv(one(b, `${n}.branch5x5_1`, 48), `${n}.branch5x5_2`, 64, [5, 5], [2, 2]),
      three(three(one(b, `${n}.branch3x3dbl_1`, 64), `${n}.branch3x3dbl_2`, 96), `${n}.branch3x3dbl_3`, 96),
      one(around(b, 'mean'), `${n}.branch_pool`, pooled),
    ]);
  const blockB = (x: T, n: string) =>
    block(x, (b) => [
      shrink(b, `${n}.branch3x3`, 384),
      shrink(three(one(b, `${n}.branch3x3dbl_1`, 64), `${n}.branch3x3dbl_2`, 96), `${n}.branch3x3dbl_3`, 96),
      backend.pool(b, 'max', 2, 0),
    ]);
  const blockC = (x: T, n: string, c: number) =>
    block(x, (b) => {
      const seven = tall(wide(one(b, `${n}.branch7x7_1`, c), `${n}.branch7x7_2`, c, 7), `${n}.branch7x7_3`, 192, 7);
      let double = one(b, `${n}.branch7x7dbl_1`, c);
      double = wide(tall(double, `${n}.branch7x7dbl_2`, c, 7), `${n}.branch7x7dbl_3`, c, 7);
      double = wide(tall(double, `${n}.branch7x7dbl_4`, c, 7), `${n}.branch7x7dbl_5`, 192, 7);
      const pooled = one(around(b, 'mean'), `${n}.branch_pool`, 192);
      return [one(b, `${n}.branch1x1`, 192), seven, double, pooled];
    });
  const blockD = (x: T, n: string) =>
    block(x, (b) => {
      const seven = tall(
        wide(one(b, `${n}.branch7x7x3_1`, 192), `${n}.branch7x7x3_2`, 192, 7),
        `${n}.branch7x7x3_3`,
        192,
        7,
      );
      return [
        shrink(one(b, `${n}.branch3x3_1`, 192), `${n}.branch3x3_2`, 320),
        shrink(seven, `${n}.branch7x7x3_4`, 192),
        backend.pool(b, 'max', 2, 0),
      ];
    });
  const blockE = (x: T, n: string, kind: 'max' | 'mean') =>
    block(x, (b) => {
      const crossed = (from: T, name: string) => [wide(from, `${name}a`, 384, 3), tall(from, `${name}b`, 384, 3)];
      const single = one(b, `${n}.branch3x3_1`, 384);
      const double = three(one(b, `${n}.branch3x3dbl_1`, 448), `${n}.branch3x3dbl_2`, 384);
      return [
        one(b, `${n}.branch1x1`, 320),
        ...crossed(single, `${n}.branch3x3_2`),
        ...crossed(double, `${n}.branch3x3dbl_3`),
        one(around(b, kind), `${n}.branch_pool`, 192),
      ];
    });
  const layer = (x: T, body: (b: T) => T) => backend.part(x, () => body(x));

  let x = images; // [B, 299, 299, 3]
  x = layer(x, (b) => shrink(b, 'Conv2d_1a_3x3', 32)); // [B, 149, 149, 32]
  x = layer(x, (b) => conv(b, 'Conv2d_2a_3x3', 32, [3, 3])); // [B, 147, 147, 32]
  x = layer(x, (b) => three(b, 'Conv2d_2b_3x3', 64)); // [B, 147, 147, 64]
  x = layer(x, (b) => backend.pool(b, 'max', 2, 0)); // [B, 73, 73, 64]
  x = layer(x, (b) => one(b, 'Conv2d_3b_1x1', 80)); // [B, 73, 73, 80]
  x = layer(x, (b) => conv(b, 'Conv2d_4a_3x3', 192, [3, 3])); // [B, 71, 71, 192]
  x = layer(x, (b) => backend.pool(b, 'max', 2, 0)); // [B, 35, 35, 192]
  x = blockA(x, 'Mixed_5b', 32); // [B, 35, 35, 256]
  x = blockA(x, 'Mixed_5c', 64); // [B, 35, 35, 288]
  x = blockA(x, 'Mixed_5d', 64); // [B, 35, 35, 288]
  x = blockB(x, 'Mixed_6a'); // [B, 17, 17, 768]
  x = blockC(x, 'Mixed_6b', 128); // [B, 17, 17, 768]
  x = blockC(x, 'Mixed_6c', 160);
  x = blockC(x, 'Mixed_6d', 160);
  x = blockC(x, 'Mixed_6e', 192);
  x = blockD(x, 'Mixed_7a'); // [B, 8, 8, 1280]
  x = blockE(x, 'Mixed_7b', 'mean'); // [B, 8, 8, 2048]
  x = blockE(x, 'Mixed_7c', 'max'); // [B, 8, 8, 2048]
  return layer(x, (b) => backend.mean(b)); // [B, 2048]
}

/** One convolution of the network. */
export interface InceptionConv {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly size: Pair;
}

/** All convolutions in the order of the walk, found by walking with numbers of channels alone. */
export function inceptionConvs(divisor = 1): InceptionConv[] {
  const convs: InceptionConv[] = [];
  inception<number>(
    {
      conv: (inputs, name, outputs, size) => {
        convs.push({ name, inputs, outputs, size });
        return outputs;
      },
      pool: (channels) => channels,
      concat: (parts) => parts.reduce((sum, channels) => sum + channels, 0),
      mean: (channels) => channels,
      part: (_, body) => body(),
    },
    3,
    divisor,
  );
  return convs;
}
