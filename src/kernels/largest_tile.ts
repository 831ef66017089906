/** Numbers that `largest` writes of a tensor, and a product in f32x3 reads. */
export const LARGEST_PARTS = 128;
