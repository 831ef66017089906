/** The first element of an array that is NaN or infinite. */
export interface Stray {
  readonly index: number;
  readonly value: number;
}

/** The first NaN or infinity; undefined where there is none. */
export function firstNotFinite(values: Float32Array): Stray | undefined {
  let sum = 0; // of v - v, which is NaN for both: one pass without branches, as every weight goes through here
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) - (values[i] as number);
  if (sum === 0) return undefined;
  const index = values.findIndex((value) => !Number.isFinite(value));
  return { index, value: values[index] as number };
}

/** The first tensor that holds a NaN or an infinity, and where; undefined where all are finite. */
export function firstNotFiniteTensor(
  tensors: Iterable<readonly [name: string, values: Float32Array]>,
): (Stray & { readonly name: string }) | undefined {
  for (const [name, values] of tensors) {
    const stray = firstNotFinite(values);
    if (stray) return { name, ...stray };
  }
  return undefined;
}
