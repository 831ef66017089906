import { basename } from 'node:path';
import type { Command } from 'commander';
import { readBytes } from '../io/read.node.ts';
import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { type RawTensor, toFloat32, type WritableTensor } from '../io/safetensors.ts';
import type { CheckpointTensors } from '../io/torch_names.ts';
import { foldInception } from '../models/features/fold_batch_norm.ts';
import type { HostWeights } from '../models/features/small_cnn.ts';
import { firstNotFinite } from '../run/finite.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { halves } from '../run/halves.ts';
import { checkSound, USE_SOUND_WEIGHTS } from '../run/sound.ts';
import { parseWeightsFile, type WeightsFile } from '../run/weights_file.ts';
import { CHECKPOINT_FORMAT } from '../ucgm/checkpoint.ts';
import { writeConvertedRun } from './convert_run.ts';
import { UsageError } from './failure.ts';
import { INCEPTION } from './features.ts';
import { countNumber } from './numbers.ts';
import { checkFolder, prepareFiles } from './output.ts';

interface ConvertOptions {
  out?: string;
  run?: string;
  plain?: boolean;
  dtype?: string;
  model?: string;
  transport?: string;
  data?: string;
  size?: number;
  features?: string;
}

/** What may be written beyond the file's own size: tensors that share bytes are written one by one. */
const MAX_GROWTH = 16;
const MAX_GROWTH_BYTES = 2 ** 20;

const FLOATS = ['F64', 'F32', 'F16', 'BF16'];
/** Second moments are below the least half: as halves they would be 0. */
const MOMENTS = /^([mvs]|optimizer)\//;

export function addConvert(ucgm: Command): void {
  ucgm
    .command('convert')
    .description(
      'Converts weights of PyTorch (.pt, .pth), of EDM and EDM2 (.pkl) or safetensors to safetensors, or to a run folder.',
    )
    .argument('<file>', '.pt, .pth, .bin, .ckpt, .pkl or .safetensors, known by its content; nothing in it is run')
    .option('--out <file>', '.safetensors to write')
    .option(
      '--features <network>',
      'with --out: weights of inception-v3 as a feature network for eval; FID needs the FID weights',
    )
    .option('--plain', "with --out: keep the file's own names instead of a checkpoint's")
    .option('--dtype <type>', 'f32 or f16 for floating-point tensors, moments excepted (default: as they are)')
    .option('--run <folder>', 'run folder to write, for sample and tune')
    .option('--model <name>', "with --run: CLASS-SIZE/PATCH such as TiT-XL/2 (default: the file's)")
    .option('--transport <type>', "with --run: the weights' transport (default: the file's, else Linear)")
    .option('--data <name>', 'with --run: digits, shapes or a folder, for tune')
    .option('--size <n>', 'with --run: height and width of the input, where the file does not tell', countNumber)
    .action(convert);
}

function convert(path: string, options: ConvertOptions): void {
  checkOptions(options);
  if (options.out !== undefined) prepareFiles([{ flag: '--out', path: options.out, extension: '.safetensors' }], path);
  if (options.run !== undefined) {
    FolderStore.checkNew(options.run);
    checkFolder('--run', options.run);
  }
  const file = parseWeightsFile(readBytes(path), path);
  const half = options.dtype === undefined ? undefined : options.dtype === 'f16';
  if (options.features !== undefined) {
    writeInception(path, options.out as string, file);
    return;
  }
  if (options.plain) {
    checkGrowth(path, file, file.plain(), half);
    for (const [name, values] of floatsOf(file.plain())) {
      const stray = firstNotFinite(values);
      if (stray) console.warn(`warning: ${path}: ${name} holds ${stray.value} (element ${stray.index}), kept as it is`);
    }
    write(options.out as string, file.plain(), file.metadata, half);
    return;
  }
  const checkpoint = file.checkpoint();
  for (const note of checkpoint.notes) console.warn(`${path}: ${note}`);
  const metadata = metadataOf(path, file, checkpoint);
  checkGrowth(path, file, checkpoint.tensors, half);
  if (options.out !== undefined) {
    checkSound(path, floatsOf(checkpoint.tensors), `${USE_SOUND_WEIGHTS}; --plain keeps it`);
    write(options.out, checkpoint.tensors, metadata, half);
    return;
  }
  const run = options.run as string;
  const convertTensors = (tensors: ReadonlyMap<string, RawTensor>) => converted(tensors, half);
  const { model, groups } = writeConvertedRun({ path, run, checkpoint, metadata, options, convertTensors });
  console.log(`${run}: ${model}, step ${metadata.step}, ${groups.join(', ')}`);
}

function checkOptions({ out, run, plain, dtype, model, transport, data, size, features }: ConvertOptions): void {
  if ((out === undefined) === (run === undefined))
    throw new UsageError('convert has no one place to write to', 'give either --out FILE.safetensors or --run FOLDER');
  if (dtype !== undefined && dtype !== 'f16' && dtype !== 'f32')
    throw new UsageError(`--dtype ${dtype} does not exist`, 'use f32 or f16');
  if (features !== undefined && features !== INCEPTION)
    throw new UsageError(`--features ${features} does not exist`, `use ${INCEPTION}`);
  if (features !== undefined && (run !== undefined || plain || dtype !== undefined))
    throw new UsageError('--features goes with --out alone', 'leave --run, --plain and --dtype out');
  if (run !== undefined && plain) throw new UsageError('--plain does not go with --run', 'leave it out');
  if (out === undefined) return;
  const extra = Object.entries({ model, transport, data, size }).find(([, value]) => value !== undefined);
  if (extra) throw new UsageError(`--${extra[0]} does not go with --out`, 'use it with --run');
}

/** The weights of Inception-v3 with its batch norms folded in, as a feature network for eval. */
function writeInception(path: string, out: string, file: WeightsFile): void {
  const tensors = new Map<string, HostWeights>();
  for (const [name, tensor] of file.plain())
    if (/\.(conv|bn)\./.test(name)) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  const folded = foldInception(tensors, path);
  checkSound(
    path,
    [...folded].map(([name, { data }]) => [name, data] as const),
    'download the weights again',
  );
  const classes = file.plain().get('fc.weight')?.shape[0];
  if (classes === 1000)
    console.warn(
      `${path}: 1,000 classes: torchvision's weights, not those of FID; distances in their features are not FID`,
    );
  writeSafetensorsAtomic(out, folded, { network: INCEPTION });
  console.log(`${out}: Inception-v3, ${folded.size} tensors`);
}

/** What restoring a trainer needs. The reference names its files by the step, and starts its teacher's decay anew. */
function metadataOf(path: string, file: WeightsFile, checkpoint: CheckpointTensors): { [key: string]: string } {
  if (file.metadata.format === CHECKPOINT_FORMAT) return { ...file.metadata };
  const named = /^\d{1,15}(?=\.[^.]+$)/.exec(basename(path))?.[0];
  const { optimizerStep = 0 } = checkpoint;
  return {
    format: CHECKPOINT_FORMAT,
    step: String(named === undefined ? optimizerStep : Number(named)),
    optimizer_step: String(optimizerStep),
    teacher_cmd: '0',
    seed: '0',
  };
}

function* floatsOf(tensors: ReadonlyMap<string, RawTensor>): Generator<[string, Float32Array]> {
  for (const [name, tensor] of tensors) if (FLOATS.includes(tensor.dtype)) yield [name, toFloat32(tensor)];
}

/** Bytes an element of a tensor takes when written. */
function writtenWidth(name: string, dtype: string, half: boolean | undefined): number | undefined {
  return half === undefined || !FLOATS.includes(dtype) || MOMENTS.test(name) ? undefined : half ? 2 : 4;
}

/** Refuses a small file whose tensors, all of the same bytes, would fill the disk. */
function checkGrowth(
  path: string,
  file: WeightsFile,
  tensors: ReadonlyMap<string, RawTensor>,
  half: boolean | undefined,
): void {
  let bytes = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    const width = writtenWidth(name, dtype, half);
    bytes += width === undefined ? data.byteLength : shape.reduce((product, size) => product * size, width);
  }
  if (!(bytes <= MAX_GROWTH * file.bytes + MAX_GROWTH_BYTES))
    throw new UsageError(
      `${path} has ${file.bytes} bytes, its tensors written one by one have ${bytes}`,
      'save tensors that do not share one storage so often',
    );
}

/** Tensors as they are written, made one at a time. */
function* converted(
  tensors: ReadonlyMap<string, RawTensor>,
  half: boolean | undefined,
): Generator<[string, WritableTensor]> {
  for (const [name, tensor] of tensors) {
    const { dtype, shape } = tensor;
    const width = writtenWidth(name, dtype, half);
    if (width === undefined || (width === 4 && dtype === 'F32') || (width === 2 && dtype === 'F16')) {
      yield [name, tensor];
      continue;
    }
    const values = toFloat32(tensor);
    yield [name, width === 4 ? { shape, data: values } : { shape, dtype: 'F16', data: halves(name, values) }];
  }
}

function write(
  out: string,
  tensors: ReadonlyMap<string, RawTensor>,
  metadata: Readonly<Record<string, string>>,
  half: boolean | undefined,
): void {
  writeSafetensorsAtomic(out, converted(tensors, half), metadata);
  console.log(`${out}: ${tensors.size} tensors`);
}
