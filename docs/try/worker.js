// Runs off the page's own thread: the network by onnxruntime-web, everything else by the package's own Python in Pyodide.
// Nothing is sent: the only requests are for the files beside this one, and none of them carries the picture.

const here = new URL("parts/", import.meta.url);
const PACKAGES = ["numpy", "Pillow"];
let listed = null, loaded = 0, ready = null;

const note = (words, share = null) => postMessage({ note: words, share });

/** Returns a part of the list as a response, unpacked, and counts its bytes as they come. */
async function part(name) {
  const { file, packed, sha256 } = listed.parts[name];
  const response = await self.direct(new URL(`${file}?${sha256.slice(0, 8)}`, here));
  if (!response.ok) throw new Error(`The file ${file} of this site did not load (status ${response.status}).`);
  const count = new TransformStream({
    transform(chunk, out) {
      loaded += chunk.byteLength;
      note("Loading", Math.min(loaded / listed.bytes, 1));
      out.enqueue(chunk);
    },
  });
  const stream = response.body.pipeThrough(count);
  const type = name.endsWith(".wasm") ? "application/wasm" : /js$/.test(name) ? "text/javascript" : "application/octet-stream";
  return new Response(packed ? stream.pipeThrough(new DecompressionStream("gzip")) : stream, { headers: { "Content-Type": type } });
}

const bytes = async name => new Uint8Array(await (await part(name)).arrayBuffer());
const script = async name => {
  const address = URL.createObjectURL(await (await part(name)).blob());
  try { return await import(address); } finally { URL.revokeObjectURL(address); }
};

async function load() {
  const list = await fetch(new URL("parts.json", here), { cache: "no-cache" });
  if (!list.ok) throw new Error("The parts of this page are missing on this site.");
  listed = await list.json();
  loaded = 0;
  // Pyodide fetches its files itself; those on the list come packed
  self.direct ??= self.fetch.bind(self);
  self.fetch = (from, ...options) => {
    const name = new URL(from.url ?? from, here).pathname.split("/").pop();
    return name in listed.parts ? part(name) : self.direct(from, ...options);
  };
  const network = `${listed.revision}.onnx`;
  const [python, session] = await Promise.all([openPython(), openNetwork(network)]);
  return { python, session };
}

async function openNetwork(name) {
  const [ort, wasm, network] = await Promise.all([
    script("ort.wasm.bundle.min.mjs"), bytes("ort-wasm-simd-threaded.wasm"), bytes(name),
  ]);
  Object.assign(ort.env.wasm, { wasmBinary: wasm.buffer, numThreads: 1 });
  const session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
  return { ort, session, side: session.inputMetadata[0].shape[1] };
}

async function openPython() {
  await script("pyodide.asm.js");
  const { loadPyodide } = await script("pyodide.mjs");
  const [python, own, journey] = await Promise.all([
    loadPyodide({ indexURL: here.href, packages: PACKAGES }),
    bytes("eyefirst.zip"),
    self.direct(new URL("journey.py", import.meta.url)).then(answer => answer.text()),
  ]);
  note("Starting Python");
  const home = python.runPython("import site; site.getsitepackages()[0]");
  python.unpackArchive(own, "zip", { extractDir: home });
  python.FS.writeFile(`${home}/journey.py`, journey);
  return python.pyimport("journey");
}

/** The picture as the browser decodes it, for files that this Python cannot: RGBA in sRGB, upright. */
async function decoded(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { colorSpace: "srgb" });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

async function look({ file, ratios }) {
  ready ??= load();
  const { python, session } = await ready.catch(error => { ready = null; throw error; });
  const start = performance.now();
  note("Reading the photo");
  const begin = (data, more = {}) => python.Journey.callKwargs(data, { side: session.side, revision: listed.revision, ...more });
  let journey = begin(new Uint8Array(await file.arrayBuffer()));
  const why = journey.unreadable();
  if (why) {
    journey.destroy();
    const shown = await decoded(file).catch(() => {
      throw new Error(`${why} Your browser cannot decode the file either. Try a JPEG or a PNG.`);
    });
    journey = begin(shown.data, { size: [shown.width, shown.height] });
  }
  const pixels = journey.network_input();
  const input = pixels.toJs();
  pixels.destroy();
  note("Running the network");
  const before = performance.now();
  const tensor = new session.ort.Tensor("uint8", input, [1, session.side, session.side, 3]);
  const outputs = await session.session.run({ image: tensor });
  const network = performance.now() - before;
  note("Choosing the crops");
  const maps = Object.entries(outputs).map(([name, found]) => [name, found.data, found.dims]);
  const answer = journey.plan(maps, ratios);
  const found = answer.toJs({ dict_converter: Object.fromEntries });
  answer.destroy();
  journey.destroy();
  return { ...found, decoder: why, seconds: { network: network / 1000, all: (performance.now() - start) / 1000 }, loaded };
}

/** The last line of a Python traceback is the error's own words. */
const words = error => {
  const last = String(error.message ?? error).trim().split("\n").pop();
  return last.replace(/^[\w.]+(Error|Exception): /, "");
};

onmessage = async ({ data }) => {
  try {
    postMessage({ found: await look(data) });
  } catch (error) {
    console.error(error);
    postMessage({ problem: words(error) });
  }
};
