/** npm run bench: `ucgm bench` from the sources, by itself. What it takes: npm run bench -- --help */
import { runCommand } from '../src/cli/main.ts';
import { addBench } from './command.ts';

await runCommand(addBench, ['bench', ...process.argv.slice(2)]);
