// The module is the one of the page without a build step.
import '../app.mjs';
