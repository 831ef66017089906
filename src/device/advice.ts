/** What is known of the place that asked for a device. */
export interface Environment {
  /** globalThis.isSecureContext; undefined outside of pages. */
  readonly secure: boolean | undefined;
  /** navigator.userAgent. */
  readonly agent: string;
}

/** The place this runs in. */
export function environment(): Environment {
  const place = globalThis as { isSecureContext?: boolean; navigator?: { userAgent?: string } };
  return { secure: place.isSecureContext, agent: place.navigator?.userAgent ?? '' };
}

const browser = ({ agent }: Environment) => /Firefox|Chrom|Safari/.exec(agent)?.[0];

/** Why there is no navigator.gpu, and what to do. */
export function noWebGPU(env: Environment): readonly [what: string, fix: string] {
  if (env.secure === false)
    return ['this page is no secure context, where WebGPU does not exist', 'serve it by HTTPS, or from localhost'];
  const what = 'this environment has no WebGPU';
  if (browser(env) === 'Firefox')
    return [what, 'use Firefox 141 or later on Windows, 145 on macOS, or set dom.webgpu.enabled in about:config'];
  if (browser(env) === 'Chrom')
    return [what, 'use Chrome or Edge 113 or later; on Linux start it with --enable-unsafe-webgpu'];
  if (browser(env) === 'Safari')
    return [what, 'use Safari 26 or later, or turn WebGPU on in the feature flags of its developer settings'];
  return [what, 'use a browser with WebGPU, or ucgm-webgpu/node in Node'];
}

/** Why no adapter was found, and what to do. */
export function noAdapter(env: Environment): readonly [what: string, fix: string] {
  const what = 'no WebGPU adapter was found';
  if (browser(env) === 'Chrom')
    return [
      what,
      'turn on graphics acceleration in the settings, and see chrome://gpu; on Linux start it with --enable-unsafe-webgpu --enable-features=Vulkan',
    ];
  if (browser(env) === 'Firefox') return [what, 'see about:support, Graphics, for what blocks WebGPU'];
  if (browser(env) === 'Safari') return [what, 'update macOS or iOS, and leave Lockdown Mode'];
  return [what, 'install a Vulkan, Metal or D3D12 driver (on Linux without a GPU: mesa-vulkan-drivers)'];
}

/** That something which was asked for a device gives no answer, and what to do. */
export function noAnswer(who: string, env: Environment): readonly [what: string, fix: string] {
  return [
    `${who} gave no answer within a minute`,
    browser(env) ? 'reload the page, or start the browser again' : 'start again, or update the driver',
  ];
}
