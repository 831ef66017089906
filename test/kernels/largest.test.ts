import { largestCases } from '../catalogue/largest.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('largest', largestCases, { exact: true });
