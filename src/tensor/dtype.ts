/** What a tensor's elements are: on the device f32, f16 and u32; bf16 for what is sent or stored. */
export type DType = 'f32' | 'f16' | 'u32' | 'bf16';

const BYTES: { readonly [dtype in DType]: number } = { f32: 4, f16: 2, u32: 4, bf16: 2 };

/** Bytes of `count` elements. */
export const bytesOf = (dtype: DType, count: number): number => BYTES[dtype] * count;
