import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { App, ROOT } from './app.ts';

/** A tool of the repository, as Node runs it. */
const tool = (...path: string[]) => join(ROOT, 'node_modules', ...path);

/** Every specifier that the package exports, its families and a few shaders by name. */
function specifiers(app: App): string[] {
  const { exports } = JSON.parse(readFileSync(app.path('node_modules/ucgm-webgpu/package.json'), 'utf8'));
  const families = readdirSync(join(ROOT, 'src/kernels'))
    .filter((file) => file !== 'index.ts' && !file.endsWith('_tile.ts'))
    .map((file) => file.slice(0, -'.ts'.length));
  const names: { [pattern: string]: string[] } = {
    './kernels/*': families,
    './wgsl/*': ['norm_fwd', 'attention_tiled_fwd'],
  };
  return Object.keys(exports)
    .filter((entry) => exports[entry] !== null && !/json$|wgsl$/.test(entry))
    .flatMap((entry) => names[entry]?.map((name) => entry.replace('*', name)) ?? [entry])
    .map((entry) => join('ucgm-webgpu', entry).replaceAll('\\', '/'));
}

/** What an app of a user's in TypeScript does with it; a misuse is marked, so that types that let all pass would fail. */
const USE = `
export async function use(device: GPUDevice, x: GPUBuffer, y: GPUBuffer): Promise<GPUComputePipeline> {
  const kernel = await kernels_norm.norm.create(device, { kind: 'layer', stats: false });
  // @ts-expect-error no such kind
  await kernels_norm.norm.create(device, { kind: 'batch' });
  return kernel.bind({ x, y }, { rows: 1, cols: 4, eps: 1e-6 }).pipeline;
}
export const times: Float32Array = ucgm_.normal(0, 1, 2, 3) > 0 ? new Float32Array(1) : new Float32Array(2);
export const words: string = wgsl_norm_fwd.default;
export const settings: run.RunConfig['train'] | undefined = undefined;
`;

describe('the entries of the packed package', () => {
  let app: App;
  let entries: string[];
  beforeAll(() => {
    app = new App();
    entries = specifiers(app);
  });
  afterAll(() => app.remove());

  it('are imported where there is no WebGPU, and leave no trace', () => {
    expect(entries.length).toBeGreaterThan(30);
    const script = `
      const before = Reflect.ownKeys(globalThis).length;
      delete globalThis.navigator;
      for (const entry of ${JSON.stringify(entries)}) {
        const names = Object.keys(await import(entry));
        if (names.length === 0) throw new Error(entry + ' exports nothing');
      }
      console.log(Reflect.ownKeys(globalThis).length <= before, typeof GPUBufferUsage);`;
    expect(app.node('--input-type=module', '-e', script).trim()).toBe('true undefined');
  });

  it('keep apart what is no entry', () => {
    const missing = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', "import 'ucgm-webgpu/kernels/norm_tile'"],
      {
        cwd: app.folder,
        encoding: 'utf8',
      },
    );
    expect(missing.stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('have the text of a shader, with its libraries, as a module and as a file', () => {
    const script = `
      import { readFileSync } from 'node:fs';
      import { fileURLToPath } from 'node:url';
      import code from 'ucgm-webgpu/wgsl/norm_fwd';
      const file = readFileSync(fileURLToPath(import.meta.resolve('ucgm-webgpu/wgsl/norm_fwd.wgsl')), 'utf8');
      console.log(file === code, /^\\/\\/ norm_fwd: y = /.test(code), code.includes('fn lanes_any_sum('));`;
    expect(app.node('--input-type=module', '-e', script).trim()).toBe('true true true');
  });

  it.each(['typescript-5.4', 'typescript-5.9', 'typescript-6.0', 'typescript'])(
    'have types that %s reads without skipLibCheck',
    (version) => {
      const imports = entries.map((entry) => {
        const name = entry.replace(/^ucgm-webgpu\/?/, '').replace(/\W/g, '_') || 'all';
        return `import * as ${name === 'ucgm' ? 'ucgm_' : name} from '${entry}';\nexport { ${name === 'ucgm' ? 'ucgm_' : name} };`;
      });
      writeFileSync(app.path('all.ts'), `${imports.join('\n')}\n${USE}`);
      const compilerOptions = {
        noEmit: true,
        strict: true,
        module: 'nodenext',
        target: 'es2022',
        lib: ['es2022', 'dom'],
        types: [],
      };
      writeFileSync(app.path('tsconfig.json'), JSON.stringify({ compilerOptions, files: ['all.ts'] }));
      const { stdout } = spawnSync(process.execPath, [tool(version, 'bin/tsc')], { cwd: app.folder, encoding: 'utf8' });
      expect(stdout).toBe('');
    },
  );

  it('please publint and Are the Types Wrong, in both packages', () => {
    for (const archive of readdirSync(inject('packed'))) {
      const path = join(inject('packed'), archive);
      const wrong = [tool('@arethetypeswrong/cli/dist/index.js'), path, '--profile', 'esm-only'];
      const types = spawnSync(process.execPath, wrong, { encoding: 'utf8' });
      expect(types.status, types.stdout + types.stderr).toBe(0);
      const lint = spawnSync(process.execPath, [tool('publint/src/cli.js'), '--strict', path], { encoding: 'utf8' });
      expect(lint.stdout + lint.stderr).toContain('All good!');
    }
  });

  it('stay below their sizes', () => {
    const args = [tool('size-limit/bin.js'), '--json'];
    const sizes = JSON.parse(spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }).stdout);
    expect(sizes.length).toBeGreaterThan(30);
    const above = sizes.filter(({ passed }: { passed: boolean }) => !passed);
    expect(above.map(({ name, size }: { name: string; size: number }) => `${name}: ${size} bytes`)).toEqual([]);
  });
});
