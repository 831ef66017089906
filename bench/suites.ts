import { capsOf } from '../src/kernel/index.ts';
import { type KernelCase, missingFeatures } from '../test/catalogue/case.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { ceilingSuite, ceilingsLine, measureCeilings } from './ceilings.ts';
import { compileSuite } from './compile.ts';
import { kernelSuite } from './kernels.ts';
import { modelSuite } from './model_suite.ts';

/** What a suite is made of. */
export interface SuiteRequest {
  readonly device: GPUDevice;
  /** Which of its cases: by name, `^matmul `. */
  readonly filter: RegExp;
  /** Opens another device like this one. */
  readonly open: () => Promise<GPUDevice>;
  /** Is told what is left out, and what was found before the first case. */
  readonly say: (line: string) => void;
}

/** Suites by name, wherever there is a device; compile alone needs Node, for processor time. */
export const SUITES = {
  smoke: (request: SuiteRequest) => kernels(request, (c) => c.smoke === true),
  kernels: (request: SuiteRequest) => {
    // A software adapter would take hours over the cases that fill a GPU.
    const { software } = capsOf(request.device);
    return kernels(request, (c) => !software || !c.benchOnly || c.flops < 2e9);
  },
  each: (request: SuiteRequest) => {
    const chosen = oneEach(runnable(request, (c) => !c.forced && c.flops <= EACH_FLOPS && c.bytes <= EACH_BYTES));
    return kernels(request, (c) => chosen.has(c));
  },
  compile: async (request: SuiteRequest) =>
    compileSuite(
      request.device,
      runnable(request, (c) => !c.benchOnly),
    ),
  ceilings: async ({ device, filter }: SuiteRequest) => ceilingSuite(device, filter, capsOf(device).software),
  model: async ({ device, filter, open }: SuiteRequest) => modelSuite(device, filter, open),
};

/** Operations and bytes that a processor is over with in a fraction of a second. */
const EACH_FLOPS = 2e8;
const EACH_BYTES = 2 ** 25;

/** Of each kernel the case with the most to do. */
function oneEach(cases: readonly KernelCase[]): Set<KernelCase> {
  const largest = new Map<string, KernelCase>();
  const work = (kase: KernelCase | undefined) => (kase ? kase.flops + kase.bytes : -1);
  for (const kase of cases) if (work(kase) > work(largest.get(kase.kernel))) largest.set(kase.kernel, kase);
  return new Set(largest.values());
}

/** Cases of the catalogue that the device has the features for; says how many it has not. */
function runnable({ device, filter, say }: SuiteRequest, chosen: (kase: KernelCase) => boolean): KernelCase[] {
  const cases = catalogue.filter((c) => chosen(c) && filter.test(`${c.kernel} ${c.name}`));
  const lacking = cases.filter((kase) => missingFeatures(kase, device).length > 0);
  if (lacking.length > 0) say(`left out: ${lacking.length} cases of features that the device does not have`);
  return cases.filter((kase) => !lacking.includes(kase));
}

async function kernels(request: SuiteRequest, chosen: (kase: KernelCase) => boolean) {
  const { device, say } = request;
  const { software } = capsOf(device);
  const cases = runnable(request, chosen);
  const ceilings = cases.length > 0 ? await measureCeilings(device, software) : { gbps: 0, tflops: 0 };
  if (cases.length > 0) say(ceilingsLine(ceilings));
  return kernelSuite(device, cases, ceilings, software);
}
