/** The command `ucgm`: the commands of src/cli, and `doctor` and `bench`, which run the catalogue's cases. */
import { addBench } from '../bench/command.ts';
import { addDoctor } from '../bench/doctor_command.ts';
import { runCommand } from '../src/cli/main.ts';

await runCommand((ucgm) => {
  addDoctor(ucgm);
  addBench(ucgm);
});
