import type { FileTensor, Naming } from './architecture.ts';

/** Names of diffusers, or efficientvit's own. */
export function dcNaming(names: ReadonlySet<string>): Naming {
  const isDiffusers = [...names].some((name) => /^(encoder\.down_blocks|decoder\.up_blocks)\./.test(name));
  return isDiffusers ? inDiffusers : (part) => [part];
}

const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^encoder\.project_in\.conv\./, 'encoder.conv_in.'],
  [/^encoder\.project_out\.main\.op_list\.0\.conv\./, 'encoder.conv_out.'],
  [/^decoder\.project_in\.main\.conv\./, 'decoder.conv_in.'],
  [/^decoder\.project_out\.op_list\.0\./, 'decoder.norm_out.'],
  [/^decoder\.project_out\.op_list\.2\.conv\./, 'decoder.conv_out.'],
  [/^encoder\.stages\.(\d+)\.op_list\.(\d+)\./, 'encoder.down_blocks.$1.$2.'],
  [/^decoder\.stages\.(\d+)\.op_list\.(\d+)\./, 'decoder.up_blocks.$1.$2.'],
  [/context_module\.main\.proj\.conv\./, 'attn.to_out.'],
  [/context_module\.main\.proj\.norm\./, 'attn.norm_out.'],
  [/context_module\.main\.aggreg\.0\.0\./, 'attn.to_qkv_multiscale.0.proj_in.'],
  [/context_module\.main\.aggreg\.0\.1\./, 'attn.to_qkv_multiscale.0.proj_out.'],
  [/local_module\.main\.(inverted|depth|point)_conv\.conv\./, 'conv_out.conv_$1.'],
  [/local_module\.main\.point_conv\.norm\./, 'conv_out.norm.'],
  [/main\.conv2\.norm\./, 'norm.'],
  [/main\.conv([12])\.conv\./, 'conv$1.'],
  [/main\.conv(\.conv)?\./, 'conv.'],
];

/** What diffusers calls queries, keys and values are the three thirds of qkv's rows, whatever they hold. */
const THIRDS = ['to_q', 'to_k', 'to_v'];

function inDiffusers({ name, shape }: FileTensor): FileTensor[] {
  let renamed = name;
  for (const [from, to] of RENAMED) renamed = renamed.replace(from, to);
  const whole = /^(.*)context_module\.main\.qkv\.conv\.(weight)$/.exec(renamed);
  if (!whole) return [{ name: renamed, shape }];
  const [rows = 0, ...rest] = shape;
  return THIRDS.map((third) => ({ name: `${whole[1]}attn.${third}.${whole[2]}`, shape: [rows / 3, ...rest] }));
}
