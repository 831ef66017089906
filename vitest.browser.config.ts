import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { EVERYWHERE, fixtures, outside } from './test/everywhere.ts';
import { findBrowser } from './tools/browser.mjs';

/** npm run test:browser: kernels, tape, random numbers, parity and a training run in a page of headless Chromium, on its software adapter. */
export default defineConfig({
  server: { fs: { allow: ['.', fixtures, outside] } },
  test: {
    include: EVERYWHERE,
    provide: { fixtures, outside },
    // Ten times what the slowest test takes on two idle cores: a busy machine is slow, not wrong.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath: findBrowser(),
          args: [
            '--enable-unsafe-webgpu',
            '--use-webgpu-adapter=swiftshader',
            '--no-sandbox',
            '--disable-dev-shm-usage',
          ],
        },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
