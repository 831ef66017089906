/** What one rank of ranks.test.ts does, as a program: each argument is one thing, done in turn. What it finds goes to FOLDER/NAME.RANK.json. */
import { writeFileSync } from 'node:fs';
import { endRanks, joinRanks, leaveRanks, ranks } from '../../src/cli/ranks.ts';
import { openNodeDevice } from '../../src/device/node.ts';
import { restWhileWaiting } from '../../src/device/rests.node.ts';
import { anyOf, broadcastText, gatherTexts } from '../../src/parallel/agree.ts';
import type { Communicator } from '../../src/parallel/communicator.ts';
import { copiedElsewhere } from './copied.ts';
import { exchanged } from './exchanged.ts';
import { localRounds } from './local_rounds.ts';
import { configOf, LOCAL, sourceOf, trainIn } from './training.ts';

const [folder, ...tasks] = process.argv.slice(2) as [string, ...string[]];
const save = (name: string, value: unknown) =>
  writeFileSync(`${folder}/${name}.${ranks().rank}.json`, JSON.stringify(value));

/** What follows the task's name after a plus sign: how is trained. */
const HOW = {
  bf16: { wire: 'bf16' },
  mixed: { precision: 'mixed' },
  accumulate: { accumulate: 3 },
  local: LOCAL,
} as const;

/** The sums of what the other rank sent, through shared memory and by MPI's own messages. */
async function swapped(all: Communicator): Promise<number[]> {
  const ways = [all, all.plain as Pick<Communicator, 'swap'>];
  return Promise.all(
    ways.map(async (by) => {
      const receive = new Uint8Array(1_000_001);
      await by.swap(new Uint8Array(receive.length).fill(1 + all.rank), receive);
      return receive.reduce((sum, byte) => sum + byte, 0);
    }),
  );
}

async function run(task: string, device: GPUDevice): Promise<void> {
  const [first, where = ''] = task.split(':') as [string, string?];
  const [what, ...how] = first.split('+') as [string, ...(keyof typeof HOW)[]];
  const config = configOf(Object.assign({}, ...how.map((name) => HOW[name])));
  const all = ranks();
  if (what === 'train') save(where, await trainIn(`${folder}/${where}`, all, device, { config }));
  else if (what === 'rounds') save(where, await localRounds(all, device));
  else if (what === 'exchange')
    save(where, { f32: await exchanged(all, device, 'f32'), bf16: await exchanged(all, device, 'bf16') });
  else if (what === 'swap') save(where, await swapped(all));
  else if (what === 'copies') save(where, await copiedElsewhere());
  else if (what === 'resume') save(where, await trainIn(`${folder}/${where}`, all, device, { config, resume: true }));
  else if (what === 'batches') {
    const source = sourceOf(config, all);
    const batches = [await source.batch(0), await source.batch(7)];
    save(
      where,
      batches.map(({ x, labels }) => ({ x: [...x], labels: [...labels] })),
    );
  } else if (what === 'talk') {
    save(where, {
      engine: all.engine,
      heard: await broadcastText(all, `from ${all.rank}`),
      texts: await gatherTexts(all, 'a'.repeat(3 * all.rank)),
      none: await anyOf(all, false),
      any: await anyOf(all, all.rank === all.size - 1),
    });
  } else if (what === 'diverge') {
    const source = sourceOf(config, all);
    const enormous = {
      ...source,
      batch: async (step: number) => {
        const batch = await source.batch(step);
        if (step === 6 && all.rank === 1) batch.x.fill(3e38);
        return batch;
      },
    };
    const training = trainIn(`${folder}/${where}`, all, device, { config, source: enormous });
    save(where, await training.then(String, ({ name, step, message }) => ({ name, step, message })));
  } else if (what === 'fail') {
    const source = sourceOf(config, all);
    const broken = {
      ...source,
      batch: async (step: number) => {
        if (step === 12 && all.rank === 1) throw new Error('the disk of rank 1 is gone');
        return source.batch(step);
      },
    };
    await trainIn(`${folder}/${where}`, all, device, { config, source: broken });
  } else throw new Error(`there is no task ${what}`);
}

restWhileWaiting();
try {
  await joinRanks();
  const device = await openNodeDevice({ limits: 'default' });
  for (const task of tasks) await run(task, device);
  device.destroy();
  await leaveRanks();
} catch (error) {
  await endRanks(error);
}
