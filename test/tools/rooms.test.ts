import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Cruised {
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}

interface Files {
  readonly [path: string]: string;
}

/** Works in a folder of these files, gone afterwards. */
function inFolder<T>(files: Files, work: (folder: string) => T): T {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ucgm-rooms-')));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the rules of `npm run check` find in a tree of these files: `rule: from -> to`, sorted. */
function faults(files: Files): string[] {
  return inFolder({ 'test/reference/util.ts': '', ...files }, (cwd) => {
    const args = [cruiser, '--config', join(root, '.dependency-cruiser.mjs'), '-T', 'json', 'src', 'test/reference'];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
    expect(stderr).toBe('');
    const { violations } = (JSON.parse(stdout) as Cruised).summary;
    return violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort();
  });
}

describe('rooms', () => {
  it('let a room import below it, Node where a file says so, and its packages', () => {
    expect(
      faults({
        'src/kernel/errors.ts': 'export class KernelError {}',
        'src/kernels/norm_tile.ts': "import '../kernel/errors.ts';",
        'src/kernels/norm.ts': "import { KernelError } from '../kernel/errors.ts';\nimport './norm_tile.ts';",
        'src/kernels/index.ts': "export * from './norm.ts';",
        'src/io/atomic.node.ts': "import { readFileSync } from 'node:fs';\nimport { parse } from 'yaml';",
        'src/device/node.ts': "const webgpu: typeof import('webgpu') = await import('webgpu');",
        'src/cli/main.ts': "import fs from 'fs';\nimport '../io/atomic.node.ts';\nimport { Command } from 'commander';",
        'test/reference/norm.ts': 'export const norm = 1;',
        'test/reference/norm.test.ts': "import '../../src/kernels/norm.ts';",
      }),
    ).toEqual([]);
  });

  it('refuse an upward import, however it is written', () => {
    const ways = {
      plain: "import '../kernels/b.ts';",
      named: "import { b } from '../kernels/b.ts';",
      type: "import type { B } from '../kernels/b.ts';",
      again: "export * from '../kernels/b.ts';",
      dynamic: 'await import(`../kernels/b.ts`);',
      written: "export const x: import('../kernels/b.ts').B = 1;",
    };
    const files = Object.entries(ways).map(([name, text]) => [`src/kernel/${name}.ts`, text]);
    expect(
      faults({ ...Object.fromEntries(files), 'src/kernels/b.ts': 'export const b = 1; export type B = 1;' }),
    ).toEqual(
      Object.keys(ways)
        .map((name) => `room-kernel: src/kernel/${name}.ts -> src/kernels/b.ts`)
        .sort(),
    );
  });

  it('refuse what lies outside src, a room that has no line, and an oracle that reads what it judges', () => {
    expect(
      faults({
        'src/cli/doctor.ts': "import '../../test/catalogue/index.ts';\nimport '../../bench/time.ts';",
        'src/attic/a.ts': "import '../kernel/a.ts';",
        'src/kernel/a.ts': '',
        'test/catalogue/index.ts': '',
        'test/reference/a.ts': "import '../../src/kernel/a.ts';",
        'bench/time.ts': '',
      }),
    ).toEqual([
      'known-room: src/attic/a.ts -> src/kernel/a.ts',
      'oracle-alone: test/reference/a.ts -> src/kernel/a.ts',
      'src-alone: src/cli/doctor.ts -> bench/time.ts',
      'src-alone: src/cli/doctor.ts -> test/catalogue/index.ts',
    ]);
  });

  it('refuse a cycle, and a kernel wrapper that imports a sibling', () => {
    expect(
      faults({
        'src/nn/a.ts': "import type { B } from './b.ts';",
        'src/nn/b.ts': "import './a.ts';",
        'src/kernels/norm.ts': "export * from './matmul.ts';",
        'src/kernels/matmul.ts': '',
      }),
    ).toEqual(['no-cycle: src/nn/a.ts -> src/nn/b.ts', 'wrapper-alone: src/kernels/norm.ts -> src/kernels/matmul.ts']);
  });

  it('refuse Node, Dawn and packages where they do not belong', () => {
    expect(
      faults({
        'src/io/a.ts': "import { readFileSync } from 'node:fs';\nimport './b.node.ts';\nimport 'commander';",
        'src/io/b.node.ts': "import 'node:path';",
        'src/cli/gpu.ts': "await import('webgpu');",
        'src/run/index.ts': "export * from './files.page.ts';\nimport './loop.ts';",
        'src/run/files.page.ts': '',
        'src/run/loop.ts': "import './files.page.ts';",
        'src/nn/a.ts': "import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';",
      }),
    ).toEqual([
      'library-alone: src/nn/a.ts -> wgsl_reflect/wgsl_reflect.module.js',
      'node-above: src/io/a.ts -> src/io/b.node.ts',
      'node-named: src/io/a.ts -> fs',
      'packages-io: src/io/a.ts -> commander',
      'page-above: src/run/loop.ts -> src/run/files.page.ts',
      'webgpu-once: src/cli/gpu.ts -> webgpu',
    ]);
  });

  it('refuse what only Node or only a page has, where it is not at home', () => {
    const home = {
      'src/nn/a.ts': "process.exit(1);\ndocument.title = 'a';",
      'src/nn/b.ts': '// process.exit(1)',
      'src/io/a.ts': 'export const b = Buffer.alloc(1);',
      'src/io/b.ts': 'createImageBitmap(new OffscreenCanvas(1, 1));',
      'src/io/b.page.ts': 'createImageBitmap(new OffscreenCanvas(1, 1));\nprocess.exit(1);',
      'src/io/a.node.ts': 'export const b = Buffer.alloc(1);\nlocalStorage.clear();',
      'src/cli/a.ts': 'process.exit(1);\nwindow.close();',
      'examples/a.ts': "document.title = 'a';",
      'biome.json': readFileSync(join(root, 'biome.json'), 'utf8'),
    };
    inFolder(home, (cwd) => {
      const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
      const args = [biome, 'lint', '--reporter=github', '--only=style/noRestrictedGlobals'];
      const { stdout } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
      const found = stdout.matchAll(/file=([^,]+).*?global variable (\w+)/g);
      expect(Array.from(found, ([, path, name]) => `${relative(cwd, path as string)}: ${name}`).sort()).toEqual([
        'src/cli/a.ts: window',
        'src/io/a.node.ts: localStorage',
        'src/io/a.ts: Buffer',
        'src/io/b.page.ts: process',
        'src/io/b.ts: OffscreenCanvas',
        'src/io/b.ts: createImageBitmap',
        'src/nn/a.ts: document',
        'src/nn/a.ts: process',
      ]);
    });
  });

  it('are those of the picture in docs/architecture.md, where imports go down the page', () => {
    const picture = /```\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/architecture.md'), 'utf8'))?.[1] ?? '';
    const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((e) =>
      e.isDirectory() ? e.name : [],
    );
    const lineOf = new Map(
      picture.split('\n').flatMap((line, at) => {
        const names = line.slice(0, 30).trim().split(/\s+/); // what it is stands to the right
        return names.filter((name) => /^[a-z]+$/.test(name)).map((name) => [name, at] as const);
      }),
    );
    expect([...lineOf.keys()].sort()).toEqual(rooms.sort());
    for (const room of rooms)
      for (const file of readdirSync(join(root, 'src', room), { recursive: true, encoding: 'utf8' })) {
        if (!file.endsWith('.ts') || `${room}/${file}` === 'nn/index.ts') continue; // an entry of the package
        const imports = readFileSync(join(root, 'src', room, file), 'utf8').matchAll(
          /'(?:\.\.\/)+(\w+)\/[\w./]+\.ts'/g,
        );
        for (const [, other] of imports)
          if (lineOf.has(other as string) && other !== room)
            expect(lineOf.get(other as string), `${room}/${file} imports ${other}`).toBeGreaterThan(lineOf.get(room)!);
      }
  });
});
