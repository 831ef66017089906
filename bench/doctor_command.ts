import type { Command } from 'commander';
import { AdapterCache, type KeptAdapter } from '../src/cli/adapter_cache.ts';
import { placeRanks, ranks } from '../src/cli/ranks.ts';
import { adapterName } from '../src/device/index.ts';
import { helpCompiling, openNodeDevice } from '../src/device/node.ts';
import { type Caps, capsOf } from '../src/kernel/index.ts';
import type { KernelCase } from '../test/catalogue/case.ts';
import { diagnose, doctorCases, LIMITS, leftOut, MAX_BYTES } from './doctor.ts';
import { numbersLine } from './tune.ts';

/** The command `ucgm doctor`. @param casesOf what is run on a device. */
export function addDoctor(ucgm: Command, casesOf: (caps: Caps) => readonly KernelCase[] = doctorCases): void {
  ucgm
    .command('doctor')
    .description(
      'Shows adapter, features and limits, and runs every kernel in every variant that can be chosen here against its oracle.',
    )
    .action(async () => {
      const device = await openNodeDevice();
      await placeRanks(device, true); // shown, whatever it is
      if (ranks().rank > 0) return device.destroy();
      await helpCompiling(device);
      describe(device);
      const cache = new AdapterCache(device);
      const { tuned } = cache.read();
      console.log(tuningLine(tuned, cache.path));
      const caps = capsOf(device);
      const byTable = casesOf(caps);
      const known = new Set(byTable.map(nameOf));
      const others = tuned ? casesOf({ ...caps, tuned: tuned.numbers }).filter((kase) => !known.has(nameOf(kase))) : [];
      const cases = [...byTable, ...others];
      const large = leftOut(cases).length;
      if (large > 0)
        console.log(`left out     ${large} cases of these kernels that move more than ${MAX_BYTES / 1e6} MB`);
      if ((await diagnose(device, cases)) > 0) process.exitCode = 1;
    });
}

/** The numbers that choices take here, and where they are from. */
export function tuningLine(tuned: KeptAdapter['tuned'], path: string): string {
  if (!tuned) return `tuned        no: the table's numbers (ucgm bench --tune keeps others in ${path})`;
  return `tuned        on ${tuned.date.slice(0, 10)}, unless --no-tuned is given: ${numbersLine(tuned.numbers)} (${path})`;
}

const nameOf = ({ kernel, name }: KernelCase) => `${kernel} ${name}`;

function describe(device: GPUDevice): void {
  const info = device.adapterInfo;
  console.log(`adapter      ${adapterName(device)}`);
  console.log(
    `vendor       ${info.vendor || '-'}   architecture ${info.architecture || '-'}   device ${info.device || '-'}`,
  );
  console.log(`driver       ${info.description || '-'}`);
  console.log(`kind         ${capsOf(device).software ? 'software: correct, slow, good for tests' : 'GPU'}`);
  console.log(`features     ${[...device.features].sort().join(', ') || 'none'}`);
  for (const name of LIMITS) console.log(`limit        ${name} ${device.limits[name]}`);
}
