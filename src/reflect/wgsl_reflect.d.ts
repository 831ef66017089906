/** In Node the ES module must be imported by its file name; its types stand under the package's own name. */
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export { WgslReflect } from 'wgsl_reflect';
}
