/** The command `ucgm`: the commands of src/cli, `kernel` with where its texts come from, and `doctor` and `bench`, which run the catalogue's cases. */
import { addBench } from '../bench/command.ts';
import { addDoctor } from '../bench/doctor_command.ts';
import { addKernel } from '../src/cli/kernel.ts';
import { runCommand } from '../src/cli/main.ts';
import * as texts from './kernel_texts.ts';

await runCommand((ucgm) => {
  addKernel(ucgm, texts);
  addDoctor(ucgm);
  addBench(ucgm);
});
