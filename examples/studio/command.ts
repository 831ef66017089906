import type { Settings } from './settings.ts';

/** The command of Node that draws what the page shows. @param from what holds the weights there; the bundled model if left out. */
export function sampleCommand(settings: Settings, from: string | undefined): string {
  const { steps, order, kappa, rho, gapNoise, gapData, warpA, warpB, warpC, guidance, seed } = settings;
  const flags: [string, string | number][] = [
    ...(from === undefined ? [] : [['--from', quoted(from)] as [string, string]]),
    ['--steps', steps],
    ['--order', order],
    ['--kappa', kappa],
    ['--rho', rho],
    ['--gaps', `${gapNoise},${gapData}`],
    ['--warp', `${warpA},${warpB},${warpC}`],
    ['--cfg', guidance],
    ['--seed', seed],
    ['--grid', 'samples.png'],
  ];
  return command('sample', flags);
}

/** The command of Node that trains as the page does. */
export function trainCommand(settings: Settings, folder: string): string {
  const { data, preset, model, trainSteps, batch, rate, trainSeed } = settings;
  const own: [string, string | number][] = [
    ['--steps', trainSteps],
    ['--batch', batch],
    ['--lr', rate],
  ];
  return command('train', [
    ['--preset', preset],
    ['--data', quoted(data)],
    ...(model === '' ? [] : [['--model', model] as const]),
    ...own.filter(([, value]) => value !== 0),
    ['--seed', trainSeed],
    ['--out', quoted(folder)],
  ]);
}

const command = (name: string, flags: readonly (readonly [string, string | number])[]) =>
  ['npx ucgm', name, ...flags.map(([flag, value]) => `${flag} ${value}`)].join(' ');

const quoted = (text: string) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);
