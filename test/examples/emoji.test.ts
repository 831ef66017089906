import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { decode } from 'fast-png';
import { PNG } from 'pngjs';
import { afterAll, expect, it } from 'vitest';
import { parseEvaluation } from '../../src/run/evaluation.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** In the repository, from where the scripts find packages and weights. */
const WORK = join(ROOT, `emoji-${process.pid}.tmp`);
const FOLDER = mkdtempSync(join(tmpdir(), 'ucgm-emoji-'));
afterAll(() => {
  rmSync(WORK, { recursive: true, force: true });
  rmSync(FOLDER, { recursive: true, force: true });
});

/** The files of the example and the command, each in one file with the sources of the library. */
function bundle(): string {
  const banner = "import { createRequire as from } from 'node:module'; const require = from(import.meta.url);";
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: {
      ucgm: 'tools/ucgm.ts',
      features: 'examples/emoji/features.mjs',
      pictures: 'examples/emoji/pictures.mjs',
    },
    outdir: WORK,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['webgpu'],
    alias: { 'ucgm-webgpu/node': './src/device/node.ts', 'ucgm-webgpu/nn': './src/nn/index.ts' },
    banner: { js: banner },
  });
  for (const name of ['multi.yaml', 'few.yaml', 'emoji.sh'])
    writeFileSync(join(WORK, name), readFileSync(join(ROOT, 'examples/emoji', name)));
  return WORK;
}

const SIDE = 16;
const CATEGORIES = ['Animals & Nature', 'Flags', 'Food & Drink', 'Symbols'];

/** A package of drawn emoji, small ones: squares of a colour a category, whole or half transparent. */
function drawEmoji(folder: string): void {
  mkdirSync(join(folder, 'img/google/64'), { recursive: true });
  const list = Array.from({ length: 7 * CATEGORIES.length }, (_, i) => {
    const kind = i % CATEGORIES.length;
    const png = new PNG({ width: SIDE, height: SIDE });
    for (let at = 0; at < SIDE * SIDE; at++) {
      const inside = Math.max(Math.abs((at % SIDE) - 8), Math.abs(Math.floor(at / SIDE) - 8)) < 3 + Math.floor(i / 7);
      png.data.set([60 * kind, 40, 200 - 60 * kind, inside ? (i < 14 ? 255 : 128) : 0], 4 * at);
    }
    const image = `${i}.png`;
    writeFileSync(join(folder, 'img/google/64', image), PNG.sync.write(png));
    return { has_img_google: true, category: CATEGORIES[kind], image, short_name: `square_${i}`, sort_order: i };
  });
  const swatch = { ...list[0], category: 'Component', image: 'none.png' };
  writeFileSync(join(folder, 'emoji.json'), JSON.stringify([...list, swatch]));
}

it('goes from pictures to latents, a model, a few-step model, and pictures again', () => {
  const scripts = bundle();
  const small = (name: string) => {
    const text = readFileSync(join(scripts, name), 'utf8');
    writeFileSync(
      join(scripts, name),
      text
        .replace('hidden_size: 256, depth: 8', 'hidden_size: 32, depth: 1')
        .replace('batch_size: 128', 'batch_size: 4'),
    );
  };
  small('multi.yaml');
  small('few.yaml');
  drawEmoji(join(FOLDER, 'package'));
  const out = join(FOLDER, 'out');
  const stdout = execFileSync('sh', [join(scripts, 'emoji.sh')], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      UCGM: `${process.execPath} ${join(scripts, 'ucgm.mjs')}`,
      ...{ OUT: out, EMOJI: join(FOLDER, 'package') },
      ...{ STEPS: '3', TUNE: '2', FEATURE_STEPS: '2', IMAGES: '4', RUNS: 'few:2' },
    },
  });
  expect(stdout).toContain('24 pictures to train on, 4 held out, 4 categories');
  expect(stdout).toContain('24 latents of 32 x 2 x 2, 4 classes, by taef2');
  const pixels = (name: string) => PNG.sync.read(readFileSync(join(out, 'pictures/train/animals-nature', name))).data;
  const middle = 4 * (8 * SIDE + 8);
  expect([...pixels('000-square_0.png').subarray(0, 3)]).toEqual([255, 255, 255]);
  expect([...pixels('000-square_0.png').subarray(middle, middle + 3)]).toEqual([0, 40, 200]);
  expect([...pixels('004-square_16.png').subarray(middle, middle + 3)]).toEqual([127, 147, 227]); // half over white
  const grid = decode(readFileSync(join(out, 'steps-2.png')));
  expect([grid.channels, grid.width, grid.height]).toEqual([3, 4 * 18 - 2, 8 * 18 - 2]);
  for (const part of ['held-out', 'train']) {
    const evaluation = parseEvaluation(readFileSync(join(out, `${part}-2.json`), 'utf8'));
    if ('problem' in evaluation) throw new Error(evaluation.problem);
    expect(evaluation).toMatchObject({ reference: `${part}, ${part === 'train' ? 24 : 4} images`, images: 4 });
    expect(evaluation.rows.map((row) => [row.steps, row.nfe, row.frechet > 0])).toEqual([[2, 2, true]]);
    const nearest = decode(readFileSync(join(out, `nearest-${part}-2.png`)));
    expect([nearest.width, nearest.height]).toEqual([8 * 18 - 2, 2 * 18 - 2]);
  }
});
