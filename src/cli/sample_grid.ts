import { atomicWrite } from '../io/atomic.node.ts';
import { type Sampled, samplesPng } from '../run/samples.ts';

/** Writes samples as a PNG, a column a class. @throws IoError. */
export function writeSampleGrid(path: string, sampled: Sampled): void {
  atomicWrite(path, [samplesPng(sampled)]);
}
