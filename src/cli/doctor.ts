import type { Command } from 'commander';
import { catalogue } from '../../test/catalogue/index.ts';
import { runCase } from '../../test/catalogue/run.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { type Caps, capsOf } from '../kernel/index.ts';
import { chooseAttention } from '../kernels/attention.ts';
import { chooseMatmul } from '../kernels/matmul.ts';
import { chooseNorm } from '../kernels/norm.ts';

/** Limits that decide what fits and which variants run. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

export function addDoctor(ucgm: Command): void {
  ucgm
    .command('doctor')
    .description(
      "Shows adapter, features, limits and chosen variants, and runs each kernel's smallest case against its oracle.",
    )
    .action(doctor);
}

async function doctor(): Promise<void> {
  const device = await openNodeDevice();
  const caps = capsOf(device);
  const info = device.adapterInfo;
  console.log(`adapter      ${adapterName(device)}`);
  console.log(
    `vendor       ${info.vendor || '-'}   architecture ${info.architecture || '-'}   device ${info.device || '-'}`,
  );
  console.log(`driver       ${info.description || '-'}`);
  console.log(`kind         ${caps.software ? 'software: correct, slow, good for tests' : 'GPU'}`);
  console.log(`features     ${[...device.features].sort().join(', ') || 'none'}`);
  for (const name of LIMITS) console.log(`limit        ${name} ${device.limits[name]}`);
  for (const line of variants(caps)) console.log(`variant      ${line}`);

  let failed = 0;
  for (const kase of catalogue.filter((c) => c.smoke)) {
    try {
      const run = kase.prepare(device);
      const { error } = await runCase(device, kase, run);
      const variant = run.kernel.variant && `  [${run.kernel.variant}]`;
      console.log(`ok    ${error.toExponential(1)}  ${kase.kernel} ${kase.name}${variant}`);
    } catch (error) {
      failed++;
      console.log(`WRONG          ${error instanceof Error ? error.message : error}`);
    }
  }
  console.log(failed === 0 ? 'every kernel agrees with its oracle' : `${failed} kernels are wrong on this adapter`);
  if (failed > 0) process.exitCode = 1;
}

/** What the pure choices come to on this device, for shapes of a small transformer. */
function variants(caps: Caps): string[] {
  const { splits: _, kChunk: __, vec: ___, ...tile } = chooseMatmul({ m: 4096, n: 768, k: 192 }, caps);
  const attention = chooseAttention({ batch: 64, heads: 3, n: 64, head_dim: 64 }, caps);
  return [
    `matmul 4096x192x768: ${JSON.stringify(tile)}`,
    `attention 64x3x64x64: ${JSON.stringify(attention)}`,
    `norm of 192 columns: ${JSON.stringify(chooseNorm(192, caps))}`,
  ];
}
