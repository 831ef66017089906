import type { Command } from 'commander';
import { originOf } from '../data/latent_origin.ts';
import { adapterName } from '../device/index.ts';
import { type FloatArray, isZip, parseNpz } from '../io/npy.ts';
import { readBytes } from '../io/read.node.ts';
import { parseSafetensors, toFloat32 } from '../io/safetensors.ts';
import { checkLatents, pictureDecoder, shownShape } from '../run/decoder.ts';
import { firstNotFinite } from '../run/finite.ts';
import { checkCount } from '../run/samples.ts';
import { Workspace } from '../tensor/index.ts';
import { autoencoderFile } from './autoencoder.ts';
import { UsageError } from './failure.ts';
import { countNumber } from './numbers.ts';
import { NO_TUNED, openTunedDevice } from './open_device.ts';
import { checkEmptyFolder, prepareFiles } from './output.ts';
import { imageFolder, type SampleForm } from './sample_files.ts';
import { writeSampleGrid } from './sample_grid.ts';
import { StopSignals } from './stop.ts';

interface DecodeOptions {
  vae?: string;
  weights?: string;
  grid?: string;
  images?: string;
  columns: number;
  tuned?: boolean;
}

/** Arrays of an .npz that may hold the latents, in order. */
const NAMES = ['latents', 'arr_0'];
/** Pictures that are decoded before they are written. */
const AT_ONCE = 256;

export function addDecode(ucgm: Command): void {
  ucgm
    .command('decode')
    .description('Decodes latents to images: those of sample --latents, of a shard, or of an .npz.')
    .argument('<file>', 'latents [N, C, H, W], not scaled: .safetensors (tensor latents) or .npz (latents or arr_0)')
    .option('--vae <key>', 'autoencoder (default: the one that the file names)')
    .option('--weights <file>', "its weights (taef2's come along)")
    .option('--grid <file>', 'PNG to write, of all images')
    .option('--columns <n>', 'images side by side in --grid', countNumber, 8)
    .option('--images <folder>', 'new folder to write: a PNG an image (000000.png ...), and labels.csv')
    .option(...NO_TUNED)
    .action(decode);
}

/** Latents as a file has them. */
interface LatentFile extends FloatArray {
  /** [N]; zeros where the file has none. */
  readonly labels: Uint32Array<ArrayBuffer>;
  readonly autoencoder: string | undefined;
}

async function decode(path: string, options: DecodeOptions): Promise<void> {
  const { grid, images, columns } = options;
  if (grid === undefined && images === undefined)
    throw new UsageError('nothing to write', 'give --grid FILE or --images FOLDER');
  if (grid !== undefined) prepareFiles([{ flag: '--grid', path: grid, extension: '.png' }], path);
  if (images !== undefined) checkEmptyFolder('--images', images);
  const { shape, data, labels, autoencoder } = readLatents(path);
  const key = options.vae ?? autoencoder;
  if (key === undefined) throw new UsageError(`${path} does not name its autoencoder`, 'give --vae KEY');
  const decoder = pictureDecoder(key, autoencoderFile(key, options.weights, '--weights'));
  const [count, channels, height, width] = shape as [number, number, number, number];
  checkLatents(decoder, channels);
  const form: SampleForm = { shape: shownShape([channels, height, width], decoder), labels };
  const one = form.shape[0] * form.shape[1] * form.shape[2];
  if (grid !== undefined) checkCount({ input: form.shape }, count, '--grid');
  const whole = new Float32Array(grid === undefined ? 0 : count * one);
  const sink = images === undefined ? undefined : imageFolder(images, form);
  const device = await openTunedDevice({ tuned: options.tuned });
  const workspace = new Workspace(device);
  const start = performance.now();
  const stop = new StopSignals();
  stop.wait();
  try {
    const each = channels * height * width;
    for (let first = 0; first < count; first += AT_ONCE) {
      const batch = Math.min(AT_ONCE, count - first);
      const part = { data: data.slice(first * each, (first + batch) * each), batch, height, width };
      const decoded = await decoder.decode(workspace, part, { signal: stop.signal });
      if (grid !== undefined) whole.set(decoded.data, first * one);
      sink?.write(first, decoded.data);
    }
    sink?.close();
  } catch (error) {
    sink?.discard();
    throw error;
  } finally {
    stop.close();
  }
  if (grid !== undefined) writeSampleGrid(grid, { samples: whole, ...form, columns, latents: false });
  const written = [grid, images].filter((name) => name !== undefined).join(', ');
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${written}: ${count} images of ${form.shape.slice(1).join(' x ')} by ${key}, ${seconds} s on ${adapterName(device)}`,
  );
  await workspace.dispose();
  device.destroy();
}

/** @throws UsageError for a file without latents, or with some that are not finite; IoError. */
function readLatents(path: string): LatentFile {
  const bytes = readBytes(path);
  const file = isZip(bytes) ? fromNpz(bytes, path) : fromSafetensors(bytes, path);
  const { shape, data } = file;
  if (shape.length !== 4 || shape.includes(0))
    throw new UsageError(`${path}: the latents are [${shape}]`, 'give latents of shape [N, C, H, W]');
  const stray = firstNotFinite(data);
  if (stray)
    throw new UsageError(
      `${path}: latent ${Math.floor(stray.index / (data.length / (shape[0] as number)))} holds ${stray.value}`,
      'sample or encode it again',
    );
  return file;
}

function fromNpz(bytes: Uint8Array, path: string): LatentFile {
  const arrays = parseNpz(bytes, path);
  const found = NAMES.flatMap((name) => arrays.get(name) ?? [])[0];
  if (!found) throw new UsageError(`${path} has no array of floats named ${NAMES.join(' or ')}`, 'name it so');
  return { ...found, labels: new Uint32Array(found.shape[0] ?? 0), autoencoder: undefined };
}

function fromSafetensors(bytes: Uint8Array, path: string): LatentFile {
  const { tensors, metadata } = parseSafetensors(bytes, path);
  const latents = tensors.get('latents');
  if (!latents) throw new UsageError(`${path} has no tensor latents`, 'give what sample --latents or encode wrote');
  const labels = tensors.get('labels');
  return {
    shape: latents.shape,
    data: toFloat32(latents),
    labels: labels ? Uint32Array.from(toFloat32(labels)) : new Uint32Array(latents.shape[0] ?? 0),
    autoencoder: originOf(metadata, path).autoencoder,
  };
}
