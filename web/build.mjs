// Builds the page: dist/page.archive, which CMake puts into the program (src/server/page.h has its form).
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { gzipSync, constants } from "node:zlib";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
};

/** KaTeX names older fonts beside woff2, which every browser of today reads. */
const onlyWoff2 = {
  name: "only-woff2",
  setup({ onLoad }) {
    onLoad({ filter: /katex\.min\.css$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(/,url\([^)]*\.(woff|ttf)\) format\("[a-z]+"\)/g, ""),
      loader: "css",
    }));
  },
};

const result = await build({
  absWorkingDir: import.meta.dirname ?? new URL(".", import.meta.url).pathname,
  entryPoints: { app: "src/main.tsx" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox115", "safari16.4"],
  minify: true,
  write: false,
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: "/",
  loader: { ".woff2": "file" },
  legalComments: "none",
  plugins: [onlyWoff2],
  metafile: true,
});

const [app] = Object.entries(result.metafile.outputs).filter(([, output]) => output.entryPoint === "src/main.tsx");

// The styles of parts loaded later are in the page's own as well.
const files = result.outputFiles.filter((file) => !/part-\w+\.css$/.test(file.path)).map((file) => ({
  path: "/" + basename(file.path),
  content: Buffer.from(file.contents),
  is_immutable: true,
}));

async function asset(name) {
  const content = await readFile(new URL(`public/${name}`, import.meta.url));
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 8);
  const path = `/${name.replace(".", `-${hash}.`)}`;
  files.push({ path, content, is_immutable: true });
  return path;
}

/** The licences of the libraries within, as they ask for. */
async function licences() {
  const inputs = Object.keys(result.metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const texts = [...new Set(inputs)].filter(Boolean).sort().map(async (name) => {
    const folder = new URL(`node_modules/${name}/`, import.meta.url);
    const { version, license } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
    const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
    return `${name} ${version} (${license})\n\n${file ? await readFile(new URL(file, folder), "utf8") : ""}`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(80)}\n\n`);
}
files.push({ path: "/licences.txt", content: Buffer.from(await licences()), is_immutable: false });

const html = (await readFile(new URL("public/index.html", import.meta.url), "utf8"))
  .replace("%APP_JS%", "/" + basename(app[0]))
  .replace("%APP_CSS%", "/" + basename(app[1].cssBundle))
  .replace("%THEME_JS%", await asset("theme.js"))
  .replace("%ICON%", await asset("icon.svg"));
files.unshift({ path: "/", content: Buffer.from(html), is_immutable: false });

const packed = files.map(({ path, content, is_immutable }) => {
  const extension = path === "/" ? ".html" : extname(path);
  const is_gzip = extension !== ".woff2";
  const bytes = is_gzip ? gzipSync(content, { level: constants.Z_BEST_COMPRESSION }) : content;
  return { header: { path, type: types[extension], size: bytes.length, is_gzip, is_immutable }, bytes, raw: content.length };
});
const header = JSON.stringify({ files: packed.map((file) => file.header) }) + "\n";

// Whole or not at all; and untouched when nothing changed, so that nothing is compiled for it.
const archive = Buffer.concat([Buffer.from(header), ...packed.map((file) => file.bytes)]);
const out = new URL("dist/page.archive", import.meta.url);
await mkdir(new URL("dist/", import.meta.url), { recursive: true });
const before = await readFile(out).catch(() => null);
if (!before?.equals(archive)) {
  const draft = new URL("dist/page.archive.new", import.meta.url);
  await writeFile(draft, archive);
  await rename(draft, out);
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const first = new Set(["/", "/" + basename(app[0]), "/" + basename(app[1].cssBundle)]);
const eager = (path) => first.has(path) || path.startsWith("/theme") || path.startsWith("/icon") ||
  app[1].imports.some((one) => one.kind === "import-statement" && path === "/" + basename(one.path));
for (const { header: file, raw } of packed.filter((one) => !one.header.path.endsWith(".woff2"))) {
  console.log(`page: ${file.path}${eager(file.path) ? "" : " (when needed)"} ${kilobytes(raw)}, ${kilobytes(file.size)} gzip`);
}
const weight = packed.filter((one) => eager(one.header.path)).reduce((sum, one) => sum + one.header.size, 0);
console.log(`page: ${kilobytes(weight)} to begin, ${kilobytes(archive.length)} in all`);
