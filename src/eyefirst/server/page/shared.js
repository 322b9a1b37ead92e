// What every part of the page uses: shapes, elements, questions to the service, pictures and maps.

export const USUAL = ["1:1", "4:5", "3:2", "16:9", "9:16", "3:1"];
const NAMED = [...USUAL, "1:3", "1:2", "2:3", "3:4", "4:3", "5:4", "2:1"];
export const ZIP_SIZE = "2560x2560", PREVIEW = 1600;
const STEPS = 60, TRIES = 4;
/** The maps, and what the page says of their boxes. */
export const MAPS = { attention: "of the attention", objectness: "sure", faces: "", text_rectangles: "text" };
const COLOURS = {
  attention: ["000004", "221150", "5f187f", "982d80", "d3436e", "f8765c", "febb81", "fcfdbf"],
  objectness: ["440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725"],
  faces: ["000a1f", "0b2559", "1b4f9c", "2f7fd1", "58a9e8", "93cdf5", "c8e6fb", "f0f9ff"],
  text_rectangles: ["0f0016", "2d0a4a", "5b1f96", "8a46d8", "b27cf0", "d3aef8", "e9d6fc", "fbf5ff"],
};

export const $ = id => document.getElementById(id);
export const { body } = document;

// --- small things

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
export const percent = share => `${Math.round(100 * share)} %`;
export const place = (element, box) => Object.assign(element.style, {
  left: `${100 * box.left}%`, top: `${100 * box.top}%`,
  width: `${100 * (box.right - box.left)}%`, height: `${100 * (box.bottom - box.top)}%`,
});
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const gcd = (a, b) => b ? gcd(b, a % b) : a;
export const wide = ratio => { const [w, h] = ratio.split(":").map(Number); return w / h; };
export const lowest = (w, h) => `${w / gcd(w, h)}:${h / gcd(w, h)}`;
export const say = text => { $("status").textContent = text; };
/** Go on at the button for boxes, or else at the tool: what had the focus is not there any more. */
export const focusTool = () => ($("add-box").hidden ? document.querySelector("[name=tool]:checked") : $("add-box")).focus();
export const pause = milliseconds => new Promise(done => { setTimeout(done, milliseconds); });

// The slider's stops, evenly spaced for the eye; each well-known shape takes the place of the stop nearest to it.
export const SHAPES = Array.from({ length: STEPS + 1 }, (_, i) => lowest(Math.round(1000 * 3 ** (2 * i / STEPS - 1)), 1000));
export const stopOf = ratio => Math.round((Math.log(wide(ratio)) / Math.log(3) + 1) * STEPS / 2);
NAMED.forEach(name => { SHAPES[stopOf(name)] = name; });
export const nameOf = ratio => NAMED.includes(ratio) ? ratio : wide(ratio) >= 1 ? `${wide(ratio).toFixed(2)}:1` : `1:${(1 / wide(ratio)).toFixed(2)}`;

/** The share of a box that lies inside another. */
export function overlap(box, other) {
  const w = Math.min(box.right, other.right) - Math.max(box.left, other.left), h = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
  return Math.max(w, 0) * Math.max(h, 0) / ((box.right - box.left) * (box.bottom - box.top) || 1);
}
export function centred(box) {
  const w = box.right - box.left, h = box.bottom - box.top;
  return { left: (1 - w) / 2, top: (1 - h) / 2, right: (1 + w) / 2, bottom: (1 + h) / 2 };
}
export function save(data, name) {
  const link = make("a", { href: URL.createObjectURL(data), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 30000);
}
/** The share of a map's sum inside a box; null where there is no map. */
export function shareIn(rows, box) {
  if (!rows) return null;
  const cover = (i, n, from, to) => clamp(Math.min(to * n, i + 1) - Math.max(from * n, i), 0, 1);
  let inside = 0, all = 0;
  rows.forEach((row, y) => row.forEach((value, x) => {
    all += value;
    inside += value * cover(x, row.length, box.left, box.right) * cover(y, rows.length, box.top, box.bottom);
  }));
  return all ? inside / all : 0;
}
/** Put an element's text on the clipboard; says whether it is there. */
export async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    getSelection().selectAllChildren(element);
    if (!document.execCommand("copy")) return false;
    getSelection().removeAllRanges();
  }
  return true;
}
/** Where a pointer is, in shares of the picture. */
export function at(event) {
  const area = $("canvas").getBoundingClientRect();
  return { x: clamp((event.clientX - area.left) / area.width, 0, 1), y: clamp((event.clientY - area.top) / area.height, 0, 1) };
}
/** Follow a pointer until it is let go. */
export function drag(event, move, end) {
  const target = $("canvas");
  event.preventDefault();
  target.setPointerCapture(event.pointerId);
  target.onpointermove = e => move(at(e), e);
  target.onpointerup = target.onpointercancel = () => {
    target.onpointermove = target.onpointerup = target.onpointercancel = null;
    end();
  };
}

// --- asking the service

export class Problem extends Error {
  constructor(reason, remedy = "", code = "") { super(reason); Object.assign(this, { remedy, code }); }
}
export async function post(path, pairs, data, { signal, accept = "application/json" } = {}) {
  for (let attempt = 1; ; attempt++) {
    const headers = { Accept: accept }, key = sessionStorage.getItem("eyefirst-key");
    if (key) headers.Authorization = `Bearer ${key}`;
    if (!(data instanceof FormData)) headers["Content-Type"] = "application/octet-stream";
    let answer;
    try {
      answer = await fetch(`${path}?${new URLSearchParams(pairs)}`, { method: "POST", body: data, headers, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("The service does not answer.", "Is it still running? Is the picture within its limit of bytes?");
    }
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    if (answer.status === 401 && await askForKey()) continue;
    if (answer.status === 503 && attempt < TRIES) {
      await pause(1000 * clamp(Number(answer.headers.get("Retry-After")) || 1, 1, 10));
      continue;
    }
    throw new Problem(problem.reason || `The service answered ${answer.status}.`, problem.remedy, problem.code);
  }
}
let keyQuestion = null;
function askForKey() {
  keyQuestion ??= new Promise(done => {
    const dialog = $("key-dialog");
    dialog.returnValue = "";
    dialog.showModal();
    dialog.onclose = () => {
      keyQuestion = null;
      const used = dialog.returnValue === "use" && $("key").value.trim();
      if (used) sessionStorage.setItem("eyefirst-key", used);
      done(Boolean(used));
    };
  });
  return keyQuestion;
}
export function showError(picture, error) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  const words = make("p", {}, make("b", { textContent: `${picture.name}: ${known ? error.message : "something unexpected went wrong"}` }),
    known && error.remedy ? `What to do: ${error.remedy}` : "");
  words.picture = picture;
  [...$("error").children].find(one => one.picture === picture)?.remove();
  $("error").append(words);
  $("error").hidden = false;
}
/** Take the errors away, of one picture or of all. */
export function hideError(picture) {
  [...$("error").children].forEach(one => { if (!picture || one.picture === picture) one.remove(); });
  $("error").hidden = !$("error").children.length;
}
export const text = box => ["left", "top", "right", "bottom"].map(edge => box[edge].toFixed(4)).join(",");

// --- pictures and maps

export async function decode(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, PREVIEW / Math.max(bitmap.width, bitmap.height));
  const canvas = make("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}
function table(kind) {
  const stops = COLOURS[kind].map(c => [0, 2, 4].map(i => parseInt(c.slice(i, i + 2), 16)));
  return value => {
    const at = value * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
    return stops[i].map((c, n) => c + (stops[i + 1][n] - c) * (at - i));
  };
}
export function drawHeat(canvas, rows, kind) {
  canvas.width = canvas.height = 68;
  if (!rows) return;
  const colour = table(kind), context = canvas.getContext("2d"), image = context.createImageData(68, 68);
  const top = kind === "attention" ? Math.max(...rows.flat(), 1e-6) : 1;
  rows.flat().forEach((value, i) => {
    const heat = Math.min(value / top, 1);
    image.data.set([...colour(heat), 255 * Math.sqrt(heat)], 4 * i);
  });
  context.putImageData(image, 0, 0);
}
/** Draw a part of a picture as large as there is room. */
export function cut(canvas, source, box, room) {
  const w = (box.right - box.left) * source.width, h = (box.bottom - box.top) * source.height;
  const scale = Math.min(room.width / w, room.height / h), density = Math.min(devicePixelRatio || 1, 2);
  canvas.style.width = `${Math.max(1, Math.round(w * scale))}px`;
  canvas.width = Math.max(1, Math.round(w * scale * density));
  canvas.height = Math.max(1, Math.round(h * scale * density));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, box.left * source.width, box.top * source.height, w, h, 0, 0, canvas.width, canvas.height);
}
