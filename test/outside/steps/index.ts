import { arithmetic } from './arithmetic.ts';
import { optimizer } from './optimizer.ts';
import { shape } from './shape.ts';
import type { Steps } from './step.ts';
import { windows } from './windows.ts';

/** The steps that our kernels take, forward and back. */
export const STEPS: Steps = { ...arithmetic, ...shape, ...windows, ...optimizer };
