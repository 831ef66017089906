import type { VelocityNetwork } from '../nn/network.ts';
import type { DiTConfig } from './config.ts';
import { type TiTOptions, tit } from './tit.ts';

/** Switches of TiT that SiT has too. */
export type SiTOptions = Partial<Pick<TiTOptions, 'learn_sigma' | 'two_times' | 'guidance_input'>>;

/** SiT / DiT: LayerNorm without weights, no q/k norm, no RoPE, GELU MLP. The TiT block with its switches off, and its names. */
export function sit(config: DiTConfig & SiTOptions): VelocityNetwork {
  return tit({
    ...config,
    use_qknorm: false,
    use_swiglu: false,
    use_rope: false,
    use_rmsnorm: false,
    wo_shift: false,
    learn_sigma: config.learn_sigma ?? false,
  });
}
