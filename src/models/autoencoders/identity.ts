import type { Architecture } from './architecture.ts';

/** Pictures as their own latents: idae_f1c3. */
export const identity: Architecture = {
  latentChannels: 3,
  downscale: 1,
  numbersPerPixel: 3,
  tensors: [],
  encode: (_tape, _w, pictures) => pictures,
  decode: (_tape, _w, latents) => latents,
};
