/** The command `ucgm`: the commands of src/cli, and `doctor`, which runs the catalogue's cases. */
import { addDoctor } from '../bench/doctor.ts';
import { runCommand } from '../src/cli/main.ts';

await runCommand(addDoctor);
