/** What is to be said where a picture of latents is written. */
export const LATENT_PICTURE_NOTE =
  'pictures are of latents: their first channels, each stretched to its range; a decoder turns latents into images';

/** The first three channels of latents [N, C, ...] as colours, or the first as grey; each from its least to its greatest value. */
export function latentPicture(
  latents: Float32Array,
  channels: number,
  pixels: number,
): { values: Float32Array; channels: 1 | 3 } {
  const shown = channels >= 3 ? 3 : 1;
  const n = latents.length / (channels * pixels);
  const values = new Float32Array(n * shown * pixels);
  for (let c = 0; c < shown; c++) {
    const plane = (i: number) => latents.subarray((i * channels + c) * pixels, (i * channels + c + 1) * pixels);
    let [least, greatest] = [Infinity, -Infinity];
    for (let i = 0; i < n; i++) {
      for (const value of plane(i)) {
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
    }
    const range = greatest - least || 1;
    for (let i = 0; i < n; i++) {
      const to = (i * shown + c) * pixels;
      for (const [at, value] of plane(i).entries()) values[to + at] = (2 * (value - least)) / range - 1;
    }
  }
  return { values, channels: shown };
}
