// The page: everything that decides is the service's; here it is asked, drawn and copied.

const USUAL = ["1:1", "4:5", "3:2", "16:9", "9:16", "3:1"];
const NAMED = [...USUAL, "1:3", "1:2", "2:3", "3:4", "4:3", "5:4", "2:1"];
const STEPS = 60, PREVIEW = 1600, ZIP_SIZE = "2560x2560", TRIES = 4;
const COLOURS = {
  attention: ["000004", "221150", "5f187f", "982d80", "d3436e", "f8765c", "febb81", "fcfdbf"],
  objectness: ["440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725"],
};

const $ = id => document.getElementById(id);
const { body } = document;
const pictures = [];
let current = null, shape = null, tab = "CSS", asking = 0;

// --- small things

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
const percent = share => `${Math.round(100 * share)} %`;
const place = (element, box) => Object.assign(element.style, {
  left: `${100 * box.left}%`, top: `${100 * box.top}%`,
  width: `${100 * (box.right - box.left)}%`, height: `${100 * (box.bottom - box.top)}%`,
});
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const gcd = (a, b) => b ? gcd(b, a % b) : a;
const wide = ratio => { const [w, h] = ratio.split(":").map(Number); return w / h; };
const lowest = (w, h) => `${w / gcd(w, h)}:${h / gcd(w, h)}`;
const say = text => { $("status").textContent = text; };
const pause = milliseconds => new Promise(done => { setTimeout(done, milliseconds); });

// The slider's stops, evenly spaced for the eye; each well-known shape takes the place of the stop nearest to it.
const SHAPES = Array.from({ length: STEPS + 1 }, (_, i) => lowest(Math.round(1000 * 3 ** (2 * i / STEPS - 1)), 1000));
const stopOf = ratio => Math.round((Math.log(wide(ratio)) / Math.log(3) + 1) * STEPS / 2);
NAMED.forEach(name => { SHAPES[stopOf(name)] = name; });
const nameOf = ratio => NAMED.includes(ratio) ? ratio : wide(ratio) >= 1 ? `${wide(ratio).toFixed(2)}:1` : `1:${(1 / wide(ratio)).toFixed(2)}`;

// --- asking the service

class Problem extends Error {
  constructor(reason, remedy = "") { super(reason); this.remedy = remedy; }
}
async function post(path, pairs, file, { signal, accept = "application/json" } = {}) {
  for (let attempt = 1; ; attempt++) {
    const headers = { Accept: accept }, key = sessionStorage.getItem("eyefirst-key");
    if (key) headers.Authorization = `Bearer ${key}`;
    headers["Content-Type"] = "application/octet-stream";
    let answer;
    try {
      answer = await fetch(`${path}?${new URLSearchParams(pairs)}`, { method: "POST", body: file, headers, signal });
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
    throw new Problem(problem.reason || `The service answered ${answer.status}.`, problem.remedy);
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
const text = box => ["left", "top", "right", "bottom"].map(edge => box[edge].toFixed(4)).join(",");
function wishesOf(picture) {
  const pairs = picture.wishes.map(w => [w.kind === "keep" ? "must_keep" : "avoid", text(w.box)]);
  if (picture.tightness) pairs.push(["tightness", picture.tightness]);
  return pairs;
}

// --- pictures come in

async function take(files) {
  const wanted = [...files].filter(Boolean);
  if (!wanted.length) return;
  hideError();
  const added = wanted.map(file => ({
    file, name: file.name || "picture.jpg", wishes: [], tightness: 0, preview: null, saliency: null, plan: null, problem: null,
  }));
  pictures.push(...added);
  show(added[0]);
  for (const picture of added) await look(picture);
}
async function look(picture) {
  body.classList.toggle("working", ++asking > 0);
  try {
    const early = decode(picture.file).catch(() => null);
    early.then(preview => { if (preview && !picture.preview) { picture.preview = preview; refresh(picture); } });
    const [saliency, plan] = await Promise.all([
      post("/v1/saliency", [], picture.file).then(a => a.json()), planned(picture)]);
    Object.assign(picture, { saliency, plan });
    const { width, height } = plan.picture, preview = await early;
    if (!preview || Math.abs(preview.width / preview.height / (width / height) - 1) > .02) {
      const most = Math.min(PREVIEW, Math.max(width, height));
      const pairs = [["aspect", `${width}:${height}`], ["size", `${most}x${most}`], ["format", "jpg"]];
      picture.preview = await decode(await (await post("/v1/crop", pairs, picture.file, { accept: "image/jpeg" })).blob());
    }
    say(`${picture.name}: ${plan.objects.length} subjects found`);
  } catch (error) {
    picture.problem = error;
    if (!picture.plan) pictures.splice(pictures.indexOf(picture), 1);
    if (current === picture && !picture.plan) show(pictures.at(-1) ?? null);
    showError(picture, error);
  } finally {
    body.classList.toggle("working", --asking > 0);
  }
  refresh(picture);
}
const planned = (picture, signal) =>
  post("/v1/plan", [...SHAPES.map(s => ["aspect", s]), ...wishesOf(picture)], picture.file, { signal }).then(a => a.json());

async function decode(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, PREVIEW / Math.max(bitmap.width, bitmap.height));
  const canvas = make("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}
let replanning = null, replanTimer = 0;
function replan() {
  const picture = current;
  clearTimeout(replanTimer);
  replanning?.abort();
  replanTimer = setTimeout(async () => {
    replanning = new AbortController();
    body.classList.toggle("working", ++asking > 0);
    try {
      picture.plan = await planned(picture, replanning.signal);
      hideError();
      refresh(picture);
    } catch (error) {
      if (error.name !== "AbortError") showError(picture, error);
    } finally {
      body.classList.toggle("working", --asking > 0);
    }
  }, 180);
}
function showError(picture, error) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  $("error").replaceChildren(make("b", { textContent: `${picture.name}: ${known ? error.message : "something unexpected went wrong"}` }),
    known && error.remedy ? `What to do: ${error.remedy}` : "");
  $("error").hidden = false;
}
function hideError() { $("error").hidden = true; }

// --- drawing

function show(picture) {
  current = picture;
  body.dataset.state = picture ? "full" : "empty";
  if (!picture) return;
  $("tightness").value = 100 * picture.tightness;
  dress();
  refresh(picture);
}
function refresh(picture) {
  drawAlbum();
  if (picture !== current || !picture) return;
  drawPicture();
  drawWishes();
  drawFrames();
}
function drawAlbum() {
  $("album").hidden = pictures.length < 2;
  $("album").replaceChildren(...pictures.map((picture, i) => {
    const small = make("canvas", { width: 104, height: 76 });
    if (picture.preview) {
      const { width, height } = picture.preview, scale = Math.max(104 / width, 76 / height);
      small.getContext("2d").drawImage(picture.preview, (104 - width * scale) / 2, (76 - height * scale) / 2, width * scale, height * scale);
    }
    const button = make("button", { type: "button", title: picture.name, onclick: () => { hideError(); show(picture); } }, small);
    button.setAttribute("role", "option");
    button.setAttribute("aria-selected", picture === current);
    button.setAttribute("aria-label", `Picture ${i + 1}: ${picture.name}`);
    return button;
  }));
}
function drawPicture() {
  const { preview, saliency } = current;
  const size = preview ?? { width: 3, height: 2 };
  const most = Math.max(260, Math.min(innerHeight * .68, 760));
  $("canvas").style.aspectRatio = `${size.width} / ${size.height}`;
  $("canvas").style.maxWidth = `${most * size.width / size.height}px`;
  const photo = $("photo");
  photo.width = size.width; photo.height = size.height;
  if (preview) photo.getContext("2d").drawImage(preview, 0, 0);
  photo.setAttribute("aria-label", current.name);
  for (const kind of ["attention", "objectness"]) drawHeat($(`heat-${kind}`), saliency?.[kind]?.heat_map, kind);
  $("boxes").replaceChildren(...["attention", "objectness"].flatMap(kind => (saliency?.[kind]?.salient_objects ?? []).map(found => {
    const box = make("div", { className: kind }, make("span", { textContent: found.confidence.toFixed(2) }));
    place(box, found.box);
    return box;
  })));
}
function table(kind) {
  const stops = COLOURS[kind].map(c => [0, 2, 4].map(i => parseInt(c.slice(i, i + 2), 16)));
  return value => {
    const at = value * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
    return stops[i].map((c, n) => c + (stops[i + 1][n] - c) * (at - i));
  };
}
function drawHeat(canvas, rows, kind) {
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
const frameOf = ratio => current?.plan?.frames[ratio]?.[0];
function shares(frame) {
  const { width, height } = current.plan.picture, { left, top, right, bottom } = frame.box;
  return { left: left / width, top: top / height, right: right / width, bottom: bottom / height };
}
function centred(box) {
  const w = box.right - box.left, h = box.bottom - box.top;
  return { left: (1 - w) / 2, top: (1 - h) / 2, right: (1 + w) / 2, bottom: (1 + h) / 2 };
}
/** The share of the attention inside a box, for the centre crop, which no plan tells. */
function attentionIn(box) {
  const rows = current.saliency?.attention?.heat_map;
  if (!rows) return null;
  const cover = (i, n, from, to) => clamp(Math.min(to * n, i + 1) - Math.max(from * n, i), 0, 1);
  let inside = 0, all = 0;
  rows.forEach((row, y) => row.forEach((value, x) => {
    all += value;
    inside += value * cover(x, row.length, box.left, box.right) * cover(y, rows.length, box.top, box.bottom);
  }));
  return all ? inside / all : 0;
}
function cut(canvas, box, room) {
  const source = current.preview;
  const w = (box.right - box.left) * source.width, h = (box.bottom - box.top) * source.height;
  const scale = Math.min(room.width / w, room.height / h), density = Math.min(devicePixelRatio || 1, 2);
  canvas.style.width = `${Math.max(1, Math.round(w * scale))}px`;
  canvas.width = Math.max(1, Math.round(w * scale * density));
  canvas.height = Math.max(1, Math.round(h * scale * density));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, box.left * source.width, box.top * source.height, w, h, 0, 0, canvas.width, canvas.height);
}
function drawFrames() {
  const ready = Boolean(current.plan && current.preview);
  $("frame").hidden = !ready;
  $("ratio-name").textContent = nameOf(shape);
  $("ratio").value = SHAPES.indexOf(shape);
  $("ratio").setAttribute("aria-valuetext", nameOf(shape));
  document.querySelectorAll("#usual button").forEach(b => b.setAttribute("aria-pressed", b.value === shape));
  if (!ready) return;
  const frame = frameOf(shape), box = shares(frame), comparing = $("compare").checked;
  place($("frame"), box);
  $("centre").hidden = !comparing;
  place($("centre"), centred(box));
  cut($("live"), box, { width: 310, height: 186 });
  $("live").setAttribute("aria-label", `Crop to ${nameOf(shape)}`);
  const size = `${frame.box.right - frame.box.left} × ${frame.box.bottom - frame.box.top}`;
  $("kept").replaceChildren(make("b", { textContent: `Keeps ${percent(frame.kept)}` }), ` of the attention · ${size}`);
  $("warnings").replaceChildren(...frame.warnings.map(w => make("li", { textContent: w })));
  drawShelf(comparing);
  drawCode();
}
function drawShelf(comparing) {
  const across = $("shelf").clientWidth, all = USUAL.reduce((sum, ratio) => sum + wide(ratio), 0);
  const inOneRow = (across - 18 * (USUAL.length - 1)) / all;
  const height = comparing ? 130 : clamp(Math.floor(inOneRow), 120, 180);
  const room = { width: comparing && across > 520 ? Math.min(across / 2.2, 390) : across, height };
  $("shelf").replaceChildren(...USUAL.map(ratio => {
    const frame = frameOf(ratio), box = shares(frame), crop = make("canvas");
    cut(crop, box, room);
    const button = make("button", { type: "button", onclick: () => choose(ratio) }, crop);
    button.setAttribute("aria-label", `${ratio}, keeps ${percent(frame.kept)} of the attention`);
    const pair = make("div", { className: "pair" }, button);
    const caption = make("figcaption", {}, make("b", { textContent: ratio }), " ", make("span", { textContent: `keeps ${percent(frame.kept)}` }));
    if (comparing) {
      const other = make("canvas"), kept = attentionIn(centred(box));
      cut(other, centred(box), room);
      other.setAttribute("role", "img");
      other.setAttribute("aria-label", `Centre crop to ${ratio}`);
      pair.append(make("div", { className: "other" }, other));
      caption.append(make("br"), make("span", { className: kept < frame.kept - .02 ? "worse" : "", textContent: `centre keeps ${percent(kept)}` }));
    }
    const figure = make("figure", {}, pair, caption);
    figure.dataset.current = ratio === shape;
    return figure;
  }));
}
function choose(ratio) { shape = ratio; if (current) drawFrames(); }
function dress() {
  const { map, view, tool } = Object.fromEntries(["map", "view", "tool"].map(n => [n, document.querySelector(`[name=${n}]:checked`).value]));
  Object.assign(body.dataset, { map, view, tool });
  const opacity = $("opacity").value;
  $("heat-attention").style.opacity = opacity / 100;
  $("heat-objectness").style.opacity = opacity / (map === "both" ? 220 : 100);  // below the other, both can be seen
  document.querySelector("output[for=opacity]").textContent = `${opacity} %`;
  document.querySelector("output[for=tightness]").textContent = `${$("tightness").value} %`;
  $("add-box").hidden = $("hint").hidden = tool === "look";
}

// --- must keep, avoid

function drawWishes() {
  const focused = current.wishes.findIndex(w => w.element && w.element === document.activeElement);
  current.wishes.forEach((wish, i) => {
    const words = wish.kind === "keep" ? "Must keep" : "Avoid";
    wish.element = make("button", { type: "button", className: `wish ${wish.kind}` });
    wish.element.setAttribute("aria-roledescription", "box");
    wish.element.setAttribute("aria-label", `${words} ${i + 1}: ${text(wish.box)}. Arrow keys move, Shift and arrow keys resize, Delete removes.`);
    place(wish.element, wish.box);
    wish.element.onpointerdown = event => grab(event, wish);
    wish.element.onkeydown = event => press(event, wish);
  });
  $("wishes").replaceChildren(...current.wishes.map(w => w.element));
  current.wishes[focused]?.element.focus();
  $("clear-boxes").hidden = !current.wishes.length;
}
function at(event) {
  const area = $("canvas").getBoundingClientRect();
  return { x: clamp((event.clientX - area.left) / area.width, 0, 1), y: clamp((event.clientY - area.top) / area.height, 0, 1) };
}
function drag(event, move, end) {
  const target = $("canvas");
  event.preventDefault();
  target.setPointerCapture(event.pointerId);
  target.onpointermove = e => move(at(e));
  target.onpointerup = target.onpointercancel = () => {
    target.onpointermove = target.onpointerup = target.onpointercancel = null;
    end();
  };
}
function grab(event, wish) {
  event.stopPropagation();
  const area = wish.element.getBoundingClientRect(), start = at(event), old = { ...wish.box };
  const resizing = event.clientX > area.right - 18 && event.clientY > area.bottom - 18;
  wish.element.focus();
  drag(event, now => {
    change(wish, old, now.x - start.x, now.y - start.y, resizing);
    place(wish.element, wish.box);
  }, () => { drawWishes(); replan(); });
}
function change(wish, old, dx, dy, resizing) {
  const w = old.right - old.left, h = old.bottom - old.top;
  if (resizing) {
    wish.box = { ...old, right: clamp(old.right + dx, old.left + .02, 1), bottom: clamp(old.bottom + dy, old.top + .02, 1) };
  } else {
    const left = clamp(old.left + dx, 0, 1 - w), top = clamp(old.top + dy, 0, 1 - h);
    wish.box = { left, top, right: left + w, bottom: top + h };
  }
}
function press(event, wish) {
  const step = { ArrowLeft: [-.02, 0], ArrowRight: [.02, 0], ArrowUp: [0, -.02], ArrowDown: [0, .02] }[event.key];
  if (step) change(wish, wish.box, ...step, event.shiftKey);
  else if (event.key === "Delete" || event.key === "Backspace") {
    current.wishes.splice(current.wishes.indexOf(wish), 1);
    $("add-box").focus();
  } else return;
  event.preventDefault();
  drawWishes();
  replan();
}
$("canvas").addEventListener("pointerdown", event => {
  const kind = body.dataset.tool;
  if (kind === "look" || !current?.plan || event.button) return;
  const start = at(event), ghost = make("div", { className: `wish ${kind}` });
  let box = null;
  $("wishes").append(ghost);
  drag(event, now => {
    box = { left: Math.min(start.x, now.x), top: Math.min(start.y, now.y), right: Math.max(start.x, now.x), bottom: Math.max(start.y, now.y) };
    place(ghost, box);
  }, () => {
    ghost.remove();
    if (box && box.right - box.left > .01 && box.bottom - box.top > .01) addWish(kind, box);
  });
});
function addWish(kind, box) {
  current.wishes.push({ kind, box });
  drawWishes();
  current.wishes.at(-1).element.focus();
  replan();
}

// --- taking things away

const quoted = name => `'${name.replaceAll("'", `'\\''`)}'`;
const python = box => `eyefirst.Box(${text(box).replaceAll(",", ", ")})`;
const CODE = {
  CSS() {
    const note = current.tightness ? "  /* the place; how tight the frame is needs a real crop */\n" : "";
    return `.picture {\n  width: 100%;\n  aspect-ratio: ${shape.replace(":", " / ")};\n  object-fit: cover;\n  object-position: ${frameOf(shape).object_position};\n${note}}`;
  },
  Python() {
    const lists = [["must_keep", "keep"], ["avoid", "avoid"]].map(([name, kind]) =>
      [name, current.wishes.filter(w => w.kind === kind).map(w => python(w.box)).join(", ")]).filter(([, boxes]) => boxes);
    const more = lists.map(([name, boxes]) => `,\n    ${name}=[${boxes}]`).join("") + (current.tightness ? `,\n    tightness=${current.tightness}` : "");
    return `import eyefirst\n\neyefirst.crop(${JSON.stringify(current.name)}, "${shape}"${more}).save(${JSON.stringify(target())})`;
  },
  curl() {
    const query = [["aspect", shape], ...wishesOf(current)].map(([n, v]) => `${n}=${v}`).join("&");
    const key = sessionStorage.getItem("eyefirst-key") ? ` \\\n  -H "Authorization: Bearer $EYEFIRST_API_KEY"` : "";
    return `curl --data-binary ${quoted(`@${current.name}`)}${key} \\\n  '${location.origin}/v1/crop?${query}' \\\n  -o ${quoted(target())}`;
  },
  JSON() {
    const { frames, ...plan } = current.plan;
    const wanted = [...new Set([...USUAL, shape])];
    return JSON.stringify({ ...plan, frames: Object.fromEntries(wanted.map(r => [r, frames[r]])) }, null, 1);
  },
};
const target = () => `${current.name.replace(/\.[^.]*$/, "")}_${shape.replace(":", "x")}.jpg`;
function drawCode() {
  document.querySelectorAll("[role=tab]").forEach(t => {
    const on = t.textContent === tab;
    t.setAttribute("aria-selected", on);
    t.tabIndex = on ? 0 : -1;
  });
  $("code").textContent = current?.plan ? CODE[tab]() : "";
}
async function copy() {
  try {
    await navigator.clipboard.writeText($("code").textContent);
  } catch {
    getSelection().selectAllChildren($("code"));
    if (!document.execCommand("copy")) return;
    getSelection().removeAllRanges();
  }
  $("copy").textContent = "Copied";
  say(`${tab} copied`);
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
}
async function download() {
  const picture = current, button = $("download");
  button.disabled = true;
  try {
    const ratios = [...new Set([...USUAL, shape])].map(r => ["aspect", r]);
    const pairs = [...ratios, ...wishesOf(picture), ["size", ZIP_SIZE], ["format", "jpg"]];
    const zip = await (await post("/v1/crop", pairs, picture.file, { accept: "application/zip" })).blob();
    const link = make("a", { href: URL.createObjectURL(zip), download: `${picture.name.replace(/\.[^.]*$/, "")}_crops.zip` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 30000);
  } catch (error) {
    showError(picture, error);
  } finally {
    button.disabled = false;
  }
}

// --- camera

let stream = null;
async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) { $("snap").click(); return; }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 4096 } } });
  } catch (error) {
    showError({ name: "Camera" }, new Problem(`The camera cannot be used (${error.name}).`, "Allow it in the browser, or choose a picture."));
    return;
  }
  $("video").srcObject = stream;
  await $("video").play();
  $("camera-dialog").showModal();
}
async function shoot() {
  const video = $("video"), canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise(done => { canvas.toBlob(done, "image/jpeg", .92); });
  $("camera-dialog").close();
  take([new File([blob], "camera.jpg", { type: "image/jpeg" })]);
}
$("camera-dialog").addEventListener("close", () => { stream?.getTracks().forEach(t => t.stop()); stream = null; });

// --- wiring

$("usual").append(...USUAL.map(r => make("button", { type: "button", value: r, textContent: r, onclick: () => choose(r) })));
document.querySelector(".tabs").append(...Object.keys(CODE).map(name => {
  const button = make("button", { type: "button", textContent: name, onclick: () => { tab = name; drawCode(); } });
  button.setAttribute("role", "tab");
  return button;
}));
document.querySelector(".tabs").addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const names = Object.keys(CODE);
  tab = names[(names.indexOf(tab) + step + names.length) % names.length];
  drawCode();
  document.querySelector("[role=tab][aria-selected=true]").focus();
});
$("ratio").addEventListener("input", () => { choose(SHAPES[$("ratio").value]); });
for (const [on, off] of [["pointerdown", "pointerup"], ["focus", "blur"]]) {
  $("ratio").addEventListener(on, () => body.classList.add("sliding"));
  $("ratio").addEventListener(off, () => body.classList.remove("sliding"));
}
document.querySelectorAll("[name=map], [name=view], [name=tool], #opacity, #tightness").forEach(input => input.addEventListener("input", dress));
$("tightness").addEventListener("input", () => { current.tightness = $("tightness").value / 100; replan(); });
$("compare").addEventListener("input", () => current?.plan && drawFrames());
$("add-box").onclick = () => current?.plan && addWish(body.dataset.tool, { left: .35, top: .35, right: .65, bottom: .65 });
$("clear-boxes").onclick = () => { current.wishes = []; drawWishes(); replan(); };
$("copy").onclick = copy;
$("download").onclick = () => current?.plan && download();
$("choose").onclick = $("choose-first").onclick = () => $("file").click();
$("camera").onclick = openCamera;
$("shoot").onclick = shoot;
$("sample").onclick = async () => { const blob = await (await fetch("/page/sample.jpg")).blob(); take([new File([blob], "sample.jpg", { type: blob.type })]); };
document.querySelectorAll("[data-close]").forEach(button => { button.onclick = () => button.closest("dialog").close(); });
for (const input of [$("file"), $("snap")]) input.onchange = () => { take(input.files); input.value = ""; };

let depth = 0;
addEventListener("dragenter", event => { event.preventDefault(); body.classList.toggle("over", ++depth > 0); });
addEventListener("dragleave", () => { body.classList.toggle("over", --depth > 0); });
addEventListener("dragover", event => event.preventDefault());
addEventListener("drop", event => { event.preventDefault(); depth = 0; body.classList.remove("over"); take(event.dataTransfer.files); });
addEventListener("paste", event => take(event.clipboardData.files));
let resizing = 0;
addEventListener("resize", () => { cancelAnimationFrame(resizing); resizing = requestAnimationFrame(() => current && refresh(current)); });

shape = "16:9";
dress();
drawCode();
