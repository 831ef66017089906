import type { VelocityNetwork } from '../nn/network.ts';
import type { DiTConfig } from './config.ts';
import { type TiTOptions, tit } from './tit.ts';

/** Channels that the reference's LightningDiT guides; it leaves the others as the labels alone give them. */
const GUIDED_CHANNELS = 3;

/**
 * LightningDiT (Yao et al. 2025): the TiT block with trained weights in its RMSNorms and no q/k norm unless asked for.
 * Parameter names are the reference's.
 */
export function lightningdit(config: DiTConfig & Partial<TiTOptions>): VelocityNetwork {
  const options = {
    use_qknorm: false,
    use_swiglu: true,
    use_rope: true,
    use_rmsnorm: true,
    wo_shift: false,
    learn_sigma: false,
  };
  const network = tit({ ...options, ...config, norm_weights: true });
  return { ...network, referenceGuidedChannels: GUIDED_CHANNELS };
}
