import { describe, expect, it } from 'vitest';
import { noAdapter, noWebGPU } from '../../src/device/advice.ts';
import { requestDevice } from '../../src/device/index.ts';
import { capsOf, MATRIX_FEATURE } from '../../src/kernel/index.ts';

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15';

describe('what is said where there is no device', () => {
  it('is what to do in that place', () => {
    for (const agent of [CHROME, FIREFOX, SAFARI])
      expect(noWebGPU({ secure: false, agent })[1]).toMatch(/HTTPS.*localhost/);
    expect(noWebGPU({ secure: true, agent: CHROME })[1]).toContain('--enable-unsafe-webgpu');
    expect(noWebGPU({ secure: true, agent: FIREFOX })[1]).toContain('dom.webgpu.enabled');
    expect(noWebGPU({ secure: true, agent: SAFARI })[1]).toContain('Safari 26');
    expect(noWebGPU({ secure: undefined, agent: 'Node.js/22' })[1]).toContain('ucgm-webgpu/node');
    expect(noAdapter({ secure: true, agent: CHROME })[1]).toMatch(
      /graphics acceleration.*chrome:\/\/gpu.*--enable-unsafe-webgpu/,
    );
    expect(noAdapter({ secure: true, agent: FIREFOX })[1]).toContain('about:support');
    expect(noAdapter({ secure: undefined, agent: 'Node.js/22' })[1]).toContain('mesa-vulkan-drivers');
    for (const agent of [CHROME, FIREFOX, SAFARI])
      expect(noAdapter({ secure: true, agent })[1]).not.toContain('driver');
  });

  it('names options that do not exist', async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    await expect(requestDevice(gpu, { limit: 'default' } as never)).rejects.toThrow('write limits');
    await expect(requestDevice(gpu, { limits: 'most' } as never)).rejects.toThrow(
      'give limits one of: "adapter", "default"',
    );
    await expect(requestDevice(gpu)).rejects.toMatchObject({ name: 'DeviceError' });
  });
});

describe('the capabilities of a device', () => {
  it('have the products of tiles that its adapter lists, and only where the device has the feature', async () => {
    const listed = [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }];
    const opened = async (features: readonly string[]) => {
      const device = { features: new Set(features), limits: {}, adapterInfo: { subgroupMatrixConfigs: [] } };
      const adapter = {
        features: new Set([MATRIX_FEATURE]),
        limits: {},
        info: { subgroupMatrixConfigs: listed },
        requestDevice: async () => device,
      };
      return requestDevice({ requestAdapter: async () => adapter } as unknown as GPU);
    };
    expect(capsOf(await opened([MATRIX_FEATURE])).matrices).toEqual([
      { components: 'f16', result: 'f32', m: 16, n: 16, k: 16 },
    ]);
    expect(capsOf(await opened([])).matrices).toEqual([]);
  });
});
