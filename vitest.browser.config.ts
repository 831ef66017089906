import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { EVERYWHERE, fixtures, outside } from './test/everywhere.ts';
import { findBrowser } from './tools/browser.mjs';

/** npm run test:browser: kernels, tape, random numbers and parity in a page of headless Chromium, on its software adapter. */
export default defineConfig({
  server: { fs: { allow: ['.', fixtures, outside] } },
  test: {
    include: EVERYWHERE,
    provide: { fixtures, outside },
    testTimeout: 120_000,
    hookTimeout: 120_000,
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
