// Where the files are, for a page to fetch and for Node to read; a bundler takes along those that are used.
export const anyStepDigits = /* @__PURE__ */ new URL('./mnist_anystep.safetensors', import.meta.url);
export const digitFeatures = /* @__PURE__ */ new URL('./mnist_features.safetensors', import.meta.url);
export const taef2 = /* @__PURE__ */ new URL('./taef2.safetensors', import.meta.url);
