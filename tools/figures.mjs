// Minify the figures' JavaScript and styles into figures/minified/: `npm run build`.
// The results are committed, since neither Colab nor a reader's Jupyter has esbuild, and
// a page, a notebook output and a test shall run the same text. `--check` compares only.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, transform } from "esbuild";

const folder = join(import.meta.dirname, "../src/layers_book/figures");
const target = join(folder, "minified");
const lock = readFileSync(join(import.meta.dirname, "../requirements.lock"), "utf8");
const [, torch] = /^torch==(.+)$/m.exec(lock);

/** A style sheet is imported as its minified text. @type {import("esbuild").Plugin} */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const css = readFileSync(path, "utf8");
      const { code } = await transform(css, { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/**
 * A figure takes core.js from the page, which loads it once for all figures.
 * @type {import("esbuild").Plugin}
 */
const pagesCore = {
  name: "page's core",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/core\.js$/ }, ({ importer }) => ({
      path: importer,
      namespace: "core",
    }));
    onLoad({ filter: /./, namespace: "core" }, ({ path }) => {
      const found = /import \{([^}]*)\} from "\.\/core\.js"/.exec(
        readFileSync(path, "utf8"),
      );
      return { contents: `export const {${found?.[1]}} = globalThis.nnFigures;` };
    });
  },
};

/** @param {string} file */
async function minified(file) {
  const { outputFiles } = await build({
    entryPoints: [join(folder, file)],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    charset: "utf8",
    target: ["chrome111", "firefox115", "safari16.4"],
    define: { TORCH: JSON.stringify(torch) },
    plugins: [styles, pagesCore],
  });
  // an end of a script element inside a text would end the page's own
  return outputFiles[0].text.replaceAll("</script", "<\\/script");
}

const files = readdirSync(folder).filter((name) => name.endsWith(".js"));
const texts = await Promise.all(files.map(minified));
if (process.argv.includes("--check")) {
  const stale = files.filter((file, i) => {
    try {
      return readFileSync(join(target, file), "utf8") !== texts[i];
    } catch {
      return true;
    }
  });
  const left = readdirSync(target).filter((file) => !files.includes(file));
  if (stale.length || left.length) {
    console.error(`minified/${[...stale, ...left].join(", ")}: run \`make format\``);
    process.exit(1);
  }
} else {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  files.forEach((file, i) => {
    writeFileSync(join(target, basename(file)), texts[i]);
  });
}
