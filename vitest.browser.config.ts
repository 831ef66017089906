import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { EVERYWHERE, fixtures, outside, PACKED_IN_A_PAGE, PAGES } from './test/everywhere.ts';
import { BROWSER_ARGS, findBrowser } from './tools/browser.mjs';

// Ten times what the slowest test takes on two idle cores: a busy machine is slow, not wrong.
const timeouts = { testTimeout: 600_000, hookTimeout: 600_000 };

/**
 * npm run test:browser: kernels, tape, random numbers, parity and a training run in a page of headless Chromium, on its software
 * adapter; and the examples in one, with the package as it is published.
 */
export default defineConfig({
  server: { fs: { allow: ['.', fixtures, outside] } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'sources',
          include: EVERYWHERE,
          provide: { fixtures, outside },
          ...timeouts,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath: findBrowser(), args: BROWSER_ARGS } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      { test: { name: 'package', include: PACKED_IN_A_PAGE, globalSetup: 'test/package/pack.ts', ...timeouts } },
      { test: { name: 'pages', include: PAGES, ...timeouts } },
    ],
  },
});
