import { expose } from 'comlink';
import { Lab } from './lab.ts';

/** Of what the page was built; set by vite.config.ts. */
declare const UCGM_BUILT: { readonly version: string; readonly commit: string };

expose(
  new Lab({
    ...UCGM_BUILT,
    os:
      (navigator as { userAgentData?: { platform: string } }).userAgentData?.platform ||
      navigator.platform ||
      'unknown',
    cpu: `${navigator.hardwareConcurrency} threads`,
    runtime:
      /(?:Firefox|Edg|Chrome|HeadlessChrome|Version)\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent,
  }),
);
