/** Relative paths, so that the folder built works from any place of any web server. The module lies one folder up, for both examples. */
export default {
  base: './',
  build: { target: 'es2022' },
  server: { fs: { allow: ['..'] } },
};
