import { describe, expect, it } from 'vitest';
import { checkLayers } from '../../tools/check-layers.ts';

const check = (...files: [path: string, text: string][]) => checkLayers(files.map(([path, text]) => ({ path, text })));

describe('layers', () => {
  it('lets a room import below', () => {
    const tape = ['autograd/tape.ts', "import { Tensor } from '../tensor/tensor.ts';"] as [string, string];
    expect(check(tape, ['tensor/tensor.ts', ''])).toEqual([]);
  });

  it('names an upward import', () => {
    expect(check(['kernel/a.ts', "import '../kernels/b.ts';\nimport { x } from '../kernels/b.ts';"])).toEqual([
      'kernel/a.ts imports kernels/b.ts: kernel may import no other room',
    ]);
  });

  it('names an import from outside src, however it is written', () => {
    const fault = (path: string) =>
      `${path} imports test/catalogue/index.ts: nothing of src may import what lies outside it`;
    const index = '../../test/catalogue/index.ts';
    for (const text of [
      `import { catalogue } from '${index}';`,
      `import type { Case } from "${index}";`,
      `export * from '${index}';`,
      `import '${index}';`,
      `await import('${index}');`,
      `await import(\n  \`${index}\`\n);`,
    ])
      expect(check(['cli/doctor.ts', text]), text).toEqual([fault('cli/doctor.ts')]);
    expect(check(['index.ts', "export * from '../test/catalogue/index.ts';"])).toEqual([fault('index.ts')]);
    expect(check(['cli/a.ts', "import bench from '../../bench/time.ts';"])[0]).toContain('imports bench/time.ts');
  });

  it('lets an entry of the package import what an app needs beside its room, and no other file of that room', () => {
    const learner = "export { Learner } from '../optim/learner.ts';";
    expect(check(['nn/index.ts', learner])).toEqual([]);
    expect(check(['nn/init.ts', learner])[0]).toContain('nn/init.ts imports optim/learner.ts: nn may import kernel');
  });

  it('names a kernel wrapper that imports a sibling', () => {
    expect(check(['kernels/a.ts', "export * from './b.ts';"])).toEqual([
      'kernels/a.ts imports kernels/b.ts: a kernel wrapper imports no sibling but a *_tile.ts',
    ]);
    expect(check(['kernels/index.ts', "export * from './b.ts';"])).toEqual([]);
  });

  it('names a cycle', () => {
    const [a, b] = ["import { b } from './b.ts';", "import { a } from './a.ts';"];
    expect(check(['nn/a.ts', a as string], ['nn/b.ts', b as string])).toEqual(['cycle: nn/a.ts -> nn/b.ts -> nn/a.ts']);
  });

  it('names what only Node or a page has, outside comments', () => {
    expect(check(['nn/a.ts', 'process.exit(1);'])[0]).toContain('mentions process.');
    expect(check(['nn/a.ts', '// process.exit(1)'])).toEqual([]);
    expect(check(['io/a.node.ts', "import { readFileSync } from 'node:fs';"])).toEqual([]);
    expect(check(['io/a.ts', "import { readFileSync } from 'node:fs';"])[0]).toContain("from 'node:fs'");
    expect(check(['device/device.ts', "await import('webgpu');"])[0]).toContain('webgpu');
    expect(check(['cli/a.ts', 'document.title = 1;'])[0]).toContain('only examples');
  });
});
