// Makes a data set of Google's emoji: node pictures.mjs OUT [PACKAGE]. OUT/train and OUT/held-out, a folder a category, 64 x 64 over white.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PNG } from 'pngjs';

/** Of every so many pictures of a category one is held out. */
const HELD_OUT = 7;

const [out, given] = process.argv.slice(2);
if (!out) throw new Error('give the folder to write: node pictures.mjs OUT');
const folder = given ?? dirname(createRequire(import.meta.url).resolve('emoji-datasource-google/package.json'));
const all = JSON.parse(readFileSync(join(folder, 'emoji.json'), 'utf8'))
  .filter((emoji) => emoji.has_img_google && emoji.category !== 'Component') // swatches of skin
  .sort((a, b) => a.sort_order - b.sort_order);

const seen = new Map();
const count = { train: 0, 'held-out': 0 };
for (const { category, image, short_name } of all) {
  const number = seen.get(category) ?? 0;
  seen.set(category, number + 1);
  const part = number % HELD_OUT === HELD_OUT - 1 ? 'held-out' : 'train';
  const place = join(out, part, category.toLowerCase().replace(/[^a-z]+/g, '-'));
  mkdirSync(place, { recursive: true });
  const name = `${String(number).padStart(3, '0')}-${short_name.replace(/[^\w-]/g, '_')}.png`;
  writeFileSync(join(place, name), overWhite(readFileSync(join(folder, 'img/google/64', image))));
  count[part]++;
}
console.log(`${out}: ${count.train} pictures to train on, ${count['held-out']} held out, ${seen.size} categories`);

/** A PNG with its transparency filled by white. */
function overWhite(bytes) {
  const png = PNG.sync.read(bytes);
  const { data } = png;
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3] / 255;
    for (let c = 0; c < 3; c++) data[i + c] = Math.round(data[i + c] * alpha + 255 * (1 - alpha));
    data[i + 3] = 255;
  }
  return PNG.sync.write(png, { colorType: 2 });
}
