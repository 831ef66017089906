import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { App } from './app.ts';
import { EXAMPLES, lossesOf, PARTS } from './examples.ts';
import { Site } from './site.ts';

describe('the packed package in a page', () => {
  let app: App;
  let site: Site;

  beforeAll(async () => {
    app = new App();
    app.embedScale();
    site = await Site.of(app);
  });

  afterAll(async () => {
    await site?.close();
    app?.remove();
  });

  it.each(['one-kernel', 'product', 'own-kernel/reflected'])(
    'runs the example %s as it stands, by an import map',
    async (name) => {
      EXAMPLES[name]?.(await site.printed(`examples/${name}.mjs`));
    },
  );

  it.each(PARTS)('trains in the example %s as it stands, by an import map', async (name, last, loss) => {
    const losses = lossesOf(await site.printed(`examples/${name}.mjs`, last));
    expect(losses).toHaveLength(1);
    expect(losses[0]).toBeLessThan(loss);
  });

  it.each(['own-kernel/embedded.ts', 'product.mjs'])('runs the example %s in a bundle', async (file) => {
    const name = file.replace(/\..*/, '');
    await build({
      absWorkingDir: app.folder,
      entryPoints: [`examples/${file}`],
      outfile: `bundles/${name}.js`,
      bundle: true,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      external: ['webgpu', 'node:*'], // asked for in Node alone
      logLevel: 'silent',
    });
    EXAMPLES[name]?.(await site.printed(`bundles/${name}.js`));
  });

  it('runs from one file, by a script tag', async () => {
    const lines = await site.opened('examples/embed/one-file.html', '', 1, async (_, printed) => printed);
    expect(lines).toEqual(['0.0321 0.0871 0.2369 0.6439']);
  });

  it('tells of what a page throws', async () => {
    await expect(site.printed('examples/none.mjs')).rejects.toThrow('none.mjs');
  });
});
