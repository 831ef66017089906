import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { loadDigits } from '../data/digits.node.ts';
import { encodeDigits } from '../data/digits.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import { prepareFiles } from './output.ts';

export function addDigits(ucgm: Command): void {
  ucgm
    .command('digits')
    .description('Writes the handwritten digits of the package mnist as one file that a page can fetch (fetchDigits).')
    .requiredOption('--out <file>', 'file to write: .safetensors, or .safetensors.gz, a fifth of it')
    .action(writeDigits);
}

async function writeDigits({ out }: { out: string }): Promise<void> {
  const zipped = extname(out).toLowerCase() === '.gz';
  prepareFiles([{ flag: '--out', path: out, extension: zipped ? '.gz' : '.safetensors' }]);
  const digits = await loadDigits();
  const chunks = encodeDigits(digits);
  const bytes = zipped ? [gzipSync(Buffer.concat(chunks), { level: 9 })] : chunks;
  atomicWrite(out, bytes);
  const size = bytes.reduce((sum, { length }) => sum + length, 0);
  console.log(`${out}: ${digits.size} digits of ${digits.height} x ${digits.width}, ${(size / 1e6).toFixed(2)} MB`);
}
