/**
 * The networks: diffusion transformers by class name or by function, autoencoders, and the feature networks of scores. Weights are files apart.
 * @module ucgm-webgpu/models
 */
export { FixableError } from '../kernel/errors.ts';
export type { VelocityNetwork } from '../nn/network.ts';
export {
  type Autoencoder,
  type CodingControl,
  decodeLatents,
  encodePictures,
  type FixedScale,
  type HostImages,
} from './autoencoders/autoencoder.ts';
export {
  AUTOENCODER_KEYS,
  type AutoencoderFile,
  type AutoencoderKind,
  autoencoderKind,
  openAutoencoder,
} from './autoencoders/registry.ts';
export { type DiTConfig, ModelError } from './config.ts';
export { type DDTOptions, ddt } from './ddt.ts';
export type { FeatureNetwork } from './features/feature_network.ts';
export { inceptionNetwork } from './features/inception.ts';
export { type HostWeights, smallCnn } from './features/small_cnn.ts';
export { lightningdit } from './lightningdit.ts';
export { createNetwork, type ModelConfig, namedModel } from './registry.ts';
export { type SiTOptions, sit } from './sit.ts';
export { type TiTConfig, type TiTOptions, tit } from './tit.ts';
