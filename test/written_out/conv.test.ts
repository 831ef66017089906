// Tiles of convolutions as a GPU has them: llvmpipe compiles them, under Dawn and under wgpu; SwiftShader in minutes, so no page does.
import { tiledConvCases } from '../catalogue/conv.ts';
import { kernelSuite } from '../kernels/suite.ts';

kernelSuite('conv, written out', tiledConvCases(false));
