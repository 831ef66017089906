// npx tsx tools/digits-file.ts FILE: the digits as one file that a page can fetch (ucgm-webgpu/run: fetchDigits), gzipped if FILE ends in .gz.
import { gzipSync } from 'node:zlib';
import { loadDigits } from '../src/data/digits.node.ts';
import { encodeDigits } from '../src/data/digits.ts';
import { atomicWrite } from '../src/io/atomic.node.ts';

const [path] = process.argv.slice(2);
if (!path) throw new Error('usage: npx tsx tools/digits-file.ts FILE');
const chunks = encodeDigits(await loadDigits());
const bytes = path.endsWith('.gz') ? [gzipSync(Buffer.concat(chunks), { level: 9 })] : chunks;
atomicWrite(path, bytes);
console.log(`${path}: ${bytes.reduce((sum, { length }) => sum + length, 0)} bytes`);
