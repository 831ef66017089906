import { normCases } from '../catalogue/norm.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('norm', normCases);
