import { activationCases } from '../catalogue/activation.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('activation', activationCases);
