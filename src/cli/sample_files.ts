import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '../io/atomic.node.ts';
import { IoError, systemReason } from '../io/errors.ts';
import { MAX_NPZ_BYTES, NpzWriter } from '../io/npz.node.ts';
import { encodePicture, imageBytes } from '../io/png.ts';
import { UsageError } from './failure.ts';

/** What all samples are. */
export interface SampleForm {
  /** C, H, W; C is 1 or 3. */
  readonly shape: readonly [number, number, number];
  /** [N]. */
  readonly labels: Uint32Array<ArrayBuffer>;
}

/** Where samples go as they are drawn, part by part. */
export interface SampleSink {
  /** Takes the samples from image `first` on, [n, C, H, W] of -1..1. */
  write(first: number, samples: Float32Array): void;
  /** All samples were written. */
  close(): void;
  /** The drawing failed: leaves nothing behind. */
  discard(): void;
}

/** What stands in the folder beside the images. */
const LABELS_FILE = 'labels.csv';

/** A folder of NNNNNN.png, and labels.csv with a line `file,label` for each. It is there, and empty. */
export function imageFolder(folder: string, { shape, labels }: SampleForm): SampleSink {
  const [channels, height, width] = shape;
  const one = channels * height * width;
  const digits = Math.max(6, String(labels.length - 1).length);
  const nameOf = (i: number) => `${String(i).padStart(digits, '0')}.png`;
  let written = 0;
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new IoError('write', folder, `it cannot be made (${systemReason(error)})`, 'give another folder', error);
  }
  return {
    write(first, samples) {
      const bytes = imageBytes(samples, channels, height * width);
      for (let i = 0; i < bytes.length / one; i++) {
        const data = bytes.subarray(i * one, (i + 1) * one);
        const path = join(folder, nameOf(first + i));
        try {
          writeFileSync(path, encodePicture({ width, height, channels: channels as 1 | 3, data }));
        } catch (error) {
          throw new IoError('write', path, `it cannot be written (${systemReason(error)})`, 'check its folder', error);
        }
        written = first + i + 1;
      }
    },
    close() {
      const lines = Array.from(labels, (label, i) => `${nameOf(i)},${label}\n`);
      atomicWrite(join(folder, LABELS_FILE), ['file,label\n', ...lines].join(''));
    },
    discard() {
      for (let i = 0; i <= written && i < labels.length; i++) rmSync(join(folder, nameOf(i)), { force: true });
      try {
        rmdirSync(folder);
      } catch {} // it holds what is not ours
    },
  };
}

/** An .npz with arr_0, the images as u8 [N, H, W, C], and arr_1, their labels as i64 [N]: what ADM's evaluator reads. */
export function npzFile(path: string, { shape, labels }: SampleForm): SampleSink {
  const [channels, height, width] = shape;
  const n = labels.length;
  const file = new NpzWriter(path);
  file.begin('arr_0', '|u1', [n, height, width, channels]);
  return {
    write: (_, samples) => file.push(imageBytes(samples, channels, height * width)),
    close() {
      file.begin('arr_1', '<i8', [n]);
      file.push(new Uint8Array(BigInt64Array.from(labels, BigInt).buffer));
      file.close();
    },
    discard: () => file.discard(),
  };
}

/** @throws UsageError for more images than one .npz holds. */
export function checkNpzSize(path: string, { shape, labels }: SampleForm): void {
  const bytes = labels.length * (shape[0] * shape[1] * shape[2] + 8);
  if (bytes > MAX_NPZ_BYTES)
    throw new UsageError(
      `--npz ${path}: ${labels.length} images of ${shape.join(' x ')} take ${bytes} bytes, a zip of it holds ${MAX_NPZ_BYTES}`,
      'give --images FOLDER, or fewer images a file (--count) with another --seed for each',
    );
}
