import { renameSync } from 'node:fs';
import { build, createServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { App } from './app.ts';
import { Site } from './site.ts';

/** Counts in the page what only an app may do with its device, and what buffers there are. */
const COUNT = `
  window.calls = {};
  window.labels = [];
  const watch = (of, name) => {
    const call = of.prototype[name];
    of.prototype[name] = function (...given) {
      const key = of.name + '.' + name;
      window.calls[key] = (window.calls[key] ?? 0) + 1;
      if (name === 'createBuffer') window.labels.push(given[0].label ?? '');
      return call.apply(this, given);
    };
  };
  watch(GPU, 'requestAdapter');
  watch(GPUAdapter, 'requestDevice');
  watch(GPUQueue, 'submit');
  watch(GPUBuffer, 'mapAsync');
  watch(GPUBuffer, 'destroy');
  watch(GPUDevice, 'destroy');
  watch(GPUDevice, 'createBuffer');`;

interface Counted {
  readonly calls: { readonly [name: string]: number };
  readonly labels: readonly string[];
}

/** examples/embed/app.mjs in doubles: y = x + attention(layernorm(x)). */
function expected(tokens = 6, width = 8): number[][] {
  const x = Array.from({ length: tokens }, (_, t) =>
    Array.from({ length: width }, (_, c) => Math.sin((t * width + c) ** 2)),
  );
  const mean = (row: number[]) => row.reduce((sum, v) => sum + v, 0) / width;
  const normed = x.map((row) => {
    const middle = mean(row);
    const spread = Math.sqrt(mean(row.map((v) => (v - middle) ** 2)) + 1e-6);
    return row.map((v) => (v - middle) / spread);
  });
  return x.map((row, i) => {
    const scores = normed.map(
      (key) => key.reduce((sum, k, c) => sum + k * (normed[i]?.[c] ?? 0), 0) / Math.sqrt(width),
    );
    const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
    const all = weights.reduce((sum, w) => sum + w, 0);
    return row.map((v, c) => v + weights.reduce((sum, w, t) => sum + (w / all) * (normed[t]?.[c] ?? 0), 0));
  });
}

/** Holds what a page printed, a row a line, to what is expected. */
function near(printed: readonly string[]): void {
  const rows = printed.map((line) => line.split(' ').map(Number));
  for (const [i, row] of expected().entries())
    for (const [c, value] of row.entries()) expect(rows[i]?.[c]).toBeCloseTo(value, 4);
}

describe('our kernels in an app of its own', () => {
  let app: App;
  let site: Site;
  beforeAll(async () => {
    app = new App();
    site = await Site.of(app);
  });
  afterAll(async () => {
    await site?.close();
    app?.remove();
  });

  const counted = (path: string, lines: number) =>
    site.opened(path, COUNT, lines, async (page, printed) => ({
      ...((await page.evaluate('({ calls: window.calls, labels: window.labels })')) as Counted),
      printed,
    }));

  it.each(['embed/index.html', 'embed/vite/dist/index.html'])(
    'compute on its device and in its encoder, and do nothing else with it: %s',
    async (page) => {
      if (page.includes('vite')) {
        await build({ root: app.path('examples/embed/vite'), logLevel: 'silent' });
        // What was built stands alone.
        renameSync(app.path('node_modules/ucgm-webgpu'), app.path('elsewhere'));
      }
      try {
        const { calls, labels, printed } = await counted(`examples/${page}`, 6);
        near(printed);
        // What the app does itself, and nothing more: it submits once and reads once.
        const own = {
          'GPU.requestAdapter': 1,
          'GPUAdapter.requestDevice': 1,
          'GPUQueue.submit': 1,
          'GPUBuffer.mapAsync': 1,
        };
        expect(calls).toEqual({ ...own, 'GPUDevice.createBuffer': 7 });
        // The app's six, and the runtime's block of dims.
        expect(labels.filter((label) => label !== '')).toEqual(['ucgm dims']);
      } finally {
        if (page.includes('vite')) renameSync(app.path('elsewhere'), app.path('node_modules/ucgm-webgpu'));
      }
    },
  );

  it("run in Vite's server for development too", async () => {
    const server = await createServer({
      root: app.path('examples/embed/vite'),
      logLevel: 'silent',
      server: { port: 0 },
    });
    try {
      await server.listen();
      const [url = ''] = server.resolvedUrls?.local ?? [];
      near(await site.opened(url, '', 6, async (_, printed) => printed));
    } finally {
      await server.close();
    }
  });

  it('come to a page without a bundler with the shaders of their families alone', async () => {
    const loaded = await site.opened('examples/embed/index.html', '', 6, (page) =>
      page.evaluate<string[]>("performance.getEntriesByType('resource').map(({ name }) => name)"),
    );
    const shaders = loaded.flatMap((url) => /\/src\/shaders\/(\w+)\.js$/.exec(url)?.[1] ?? []);
    expect(shaders).toContain('attention_tiled_fwd');
    expect(shaders.filter((name) => !name.startsWith('attention_'))).toEqual(['norm_fwd']);
    expect(loaded.filter((url) => url.includes('generated'))).toEqual([]);
  });

  it('take a buffer of ONNX Runtime Web where it lies, without reading it back', async () => {
    const { calls, printed } = await counted('examples/onnx-interop/index.html', 2);
    expect(printed).toEqual(['gpu-buffer 2 x 4', '-1.342 -0.447 0.447 1.342 -1.342 -0.447 0.447 1.342']);
    expect(calls).toMatchObject({ 'GPUAdapter.requestDevice': 1, 'GPUBuffer.mapAsync': 1 });
  });
});
