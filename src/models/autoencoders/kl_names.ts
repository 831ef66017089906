import type { FileTensor, Naming } from './architecture.ts';

/** Attention's parts: ldm's names, diffusers', and diffusers' before 2023. */
const ATTENTION: { readonly [ldm: string]: readonly [now: string, before: string] } = {
  norm: ['group_norm', 'group_norm'],
  q: ['to_q', 'query'],
  k: ['to_k', 'key'],
  v: ['to_v', 'value'],
  proj_out: ['to_out.0', 'proj_attn'],
};

/** Names of a file of diffusers, or ldm's own. @param levels of the network: its decoder counts them the other way round. */
export function klNaming(names: ReadonlySet<string>, levels: number): Naming {
  const isDiffusers = [...names].some((name) => /^(encoder\.down_blocks|decoder\.up_blocks)\./.test(name));
  if (!isDiffusers) return (part) => [part];
  const style = [...names].some((name) => name.endsWith('.query.weight')) ? 1 : 0;
  return (part) => [{ ...part, name: inDiffusers(part, levels, style) }];
}

function inDiffusers({ name }: FileTensor, levels: number, style: 0 | 1): string {
  const attention = /^(.*)\.(attn_1|attn\.\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  const part = attention ? ATTENTION[attention[3] as string] : undefined;
  const inner = attention && part ? `${attention[1]}.${attention[2]}.${part[style]}.${attention[4]}` : name;
  return inner
    .replace(/^encoder\.down\.(\d+)\./, 'encoder.down_blocks.$1.')
    .replace(/^decoder\.up\.(\d+)\./, (_, level) => `decoder.up_blocks.${levels - 1 - Number(level)}.`)
    .replace(/\.block\.(\d+)\./, '.resnets.$1.')
    .replace(/\.attn\.(\d+)\./, '.attentions.$1.')
    .replace('.downsample.', '.downsamplers.0.')
    .replace('.upsample.', '.upsamplers.0.')
    .replace('.mid.block_1.', '.mid_block.resnets.0.')
    .replace('.mid.block_2.', '.mid_block.resnets.1.')
    .replace('.mid.attn_1.', '.mid_block.attentions.0.')
    .replace('.nin_shortcut.', '.conv_shortcut.')
    .replace('.norm_out.', '.conv_norm_out.');
}
