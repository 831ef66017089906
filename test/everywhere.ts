import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';

/** The choice of the reference's numbers that lies beside the tests. */
export const chosenFixtures = resolve('test/fixtures');

/** Folder of the numbers the PyTorch reference computed: FIXTURES, or that choice. It may hold some files: the choice has the others. */
export const fixtures = resolve(process.env.FIXTURES ?? chosenFixtures);
if (!existsSync(fixtures) || !readdirSync(fixtures).some((file) => file.endsWith('.safetensors')))
  throw new Error(`FIXTURES: ${fixtures} holds no .safetensors. Fix: give a folder of the reference's numbers`);

/** Folder of the numbers of other projects: OUTSIDE, or the choice of cases beside the tests. */
export const outside = resolve(process.env.OUTSIDE ?? 'test/outside/cases');

/** The tests that import nothing of Node, and so run in a page and under Deno as they stand. */
export const EVERYWHERE = [
  'test/{autograd,kernel,kernels,models,nn,optim,outside,parity,tensor}/*.test.ts',
  'test/run/{draw,loop,same_numbers,session}.test.ts',
];

/** The tests of the package as it is published, and those of them that open a browser of their own. */
export const PACKED = ['test/package/*.test.ts'];
export const PACKED_IN_A_PAGE = ['test/package/*.page.test.ts'];

/** The tests of pages that open a browser of their own. */
export const PAGES = ['test/page/*.test.ts', 'test/studio/*.test.ts'];
