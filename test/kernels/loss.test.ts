import { lossCases } from '../catalogue/loss.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('loss', lossCases);
