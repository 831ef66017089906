import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { App, ROOT } from './app.ts';

/** The blocks of a page whose fence names a file, `js forward.mjs`, or what is printed, `text forward.mjs prints`. */
function blocks(page: string): Map<string, string> {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const found = text.matchAll(/^```\w+ (\S+(?: prints)?)\n([\s\S]*?)^```$/gm);
  return new Map(Array.from(found, ([, name = '', body = '']) => [name, body]));
}

describe('what the documents tell to write', () => {
  let app: App;
  beforeAll(() => void (app = new App()));
  afterAll(() => app.remove());

  /** Writes a page's files into a folder of the app, and runs each that the page says the output of. */
  function follow(page: string, folder: string): number {
    const files = blocks(page);
    for (const [name, body] of files) {
      if (name.endsWith(' prints')) continue;
      mkdirSync(dirname(app.path(folder, name)), { recursive: true });
      writeFileSync(app.path(folder, name), body);
    }
    const printing = [...files].filter(([name]) => name.endsWith(' prints'));
    for (const [name, body] of printing) expect(app.node(join(folder, name.replace(' prints', ''))), name).toBe(body);
    return printing.length;
  }

  it('runs as the tutorial says: a kernel of your own, its gradient, its training', () => {
    expect(follow('docs/tutorial.md', 'tutorial')).toBe(3);
    const shaders = ['snake', 'snake_bwd_x', 'snake_bwd_a'].map((name) => join('tutorial', `${name}.wgsl`));
    expect(app.ucgm('embed', ...shaders, '--out', 'tutorial/shaders.ts').stdout).toContain(
      'snake: buffers x, a, y; dims rows, cols',
    );
  });

  it("runs as README's stories say: a kernel in an app, a measurement, a training", () => {
    expect(follow('README.md', 'readme')).toBe(1);
    const files = blocks('README.md');
    const commands = ['measure', 'train', 'take'].flatMap((story) =>
      Array.from((files.get(story) ?? '').matchAll(/^npx ucgm ([^#\n]*)/gm), ([, words = '']) =>
        Array.from(words.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, word]) => quoted ?? word ?? ''),
      ),
    );
    expect(commands.map(([command]) => command)).toEqual(['bench', 'train', 'sample', 'sample', 'kernel']);
    for (const words of commands) {
      const { status, stderr } = app.ucgm(...words);
      expect(status, `${words.join(' ')}: ${stderr}`).toBe(0);
    }
    for (const picture of ['mine.png', 'digits.png'])
      expect(readFileSync(app.path(picture)).subarray(1, 4).toString()).toBe('PNG');
    expect(app.node('--input-type=module', '-e', "console.log(Object.keys(await import('./attention.js')))")).toBe(
      "[ 'create' ]\n",
    );
  });
});
