/** A model that draws digits 0 to 9 in any number of steps from 1 on: safetensors, its settings in the metadata. */
export declare const anyStepDigits: URL;
/** The network whose features score samples of digits: safetensors, described in the metadata. */
export declare const digitFeatures: URL;
/** The tiny autoencoder of FLUX.2's latents: safetensors, f16, its tensors named `encoder.N` and `decoder.N`. */
export declare const taef2: URL;
