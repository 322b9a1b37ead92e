// The page: everything that decides is the service's; here it is asked, drawn and copied.

import { openCamera, shoot } from "./camera.js";
import { CODE } from "./code.js";
import { dressFrame, setUpFrame } from "./frame.js";
import {
  $, body, clamp, count, decode, drawHeat, lowest, make, MAPS, nameOf, percent, place, post, PREVIEW, Problem, say, SHAPES, stopOf, text, USUAL, wide,
  ZIP_SIZE,
} from "./shared.js";
import { addWish, drawWishes, setUpWishes } from "./wishes.js";

const pictures = [];
const HINTS = {
  frame: "Drag the frame, or one of its corners. Wheel, two fingers, + and − resize it, arrow keys move it, Escape brings the planned one back.",
  box: "Drag on the picture, or add a box. A focused box moves with the arrow keys, grows with Shift and the arrow keys, and goes with Delete.",
};
let current = null, shape = null, tab = "CSS", asking = 0;

/** Asks about a picture; its bytes go along only where the service has not got them, or not any more. plan: goes along. */
async function ask(path, pairs, picture, { plan, ...options } = {}) {
  const data = file => {
    if (!plan) return file;
    const form = new FormData();
    form.set("plan", JSON.stringify(plan));
    if (file) form.set("picture", file);
    return form;
  };
  if (picture.sha256) {
    try {
      return await post(path, [...pairs, ["sha256", picture.sha256]], data(null), options);
    } catch (error) {
      if (error.code !== "picture_not_found") throw error;
    }
  }
  return post(path, pairs, data(picture.file), options);
}
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
    file, name: file.name || "picture.jpg", wishes: [], shapes: [], edited: {}, tightness: 0, preview: null, saliency: null, plan: null, problem: null,
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
    const plan = await planned(picture);
    picture.sha256 = plan.picture.sha256;
    const saliency = await (await ask("/v1/saliency", Object.keys(MAPS).map(kind => ["kind", kind]), picture)).json();
    Object.assign(picture, { saliency, plan });
    const { width, height } = plan.picture, preview = await early;
    if (!preview || Math.abs(preview.width / preview.height / (width / height) - 1) > .02) {
      const most = Math.min(PREVIEW, Math.max(width, height));
      const pairs = [["ratio", `${width}:${height}`], ["size", `${most}x${most}`], ["format", "jpg"]];
      picture.preview = await decode(await (await ask("/v1/crop", pairs, picture, { accept: "image/jpeg" })).blob());
    }
    say(`${picture.name}: ${count(plan.objects.length, "subject")} and ${count(saliency.faces.faces.length, "face")} found`);
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
  ask("/v1/plan", [...new Set([...SHAPES, ...picture.shapes])].map(s => ["ratio", s]).concat(wishesOf(picture)), picture, { signal }).then(a => a.json());

function replan() {
  const picture = current;
  clearTimeout(picture.timer);
  picture.replanning?.abort();
  picture.timer = setTimeout(async () => {
    const replanning = picture.replanning = new AbortController();
    body.classList.toggle("working", ++asking > 0);
    try {
      picture.plan = await planned(picture, replanning.signal);
      hideError(picture.name);
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
  const words = make("p", {}, make("b", { textContent: `${picture.name}: ${known ? error.message : "something unexpected went wrong"}` }),
    known && error.remedy ? `What to do: ${error.remedy}` : "");
  words.dataset.name = picture.name;
  [...$("error").children].find(one => one.dataset.name === picture.name)?.remove();
  $("error").append(words);
  $("error").hidden = false;
}
/** Take the errors away, of one picture or of all. */
function hideError(name) {
  [...$("error").children].forEach(one => { if (!name || one.dataset.name === name) one.remove(); });
  $("error").hidden = !$("error").children.length;
}

// --- drawing

function show(picture) {
  current = picture;
  if (picture?.plan && !frameOf(shape)) shape = "16:9";
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
  const hadFocus = $("album").contains(document.activeElement);
  $("album").hidden = pictures.length < 2;
  $("album").replaceChildren(...pictures.map((picture, i) => {
    const small = make("canvas", { width: 104, height: 76 });
    if (picture.preview) {
      const { width, height } = picture.preview, scale = Math.max(104 / width, 76 / height);
      small.getContext("2d").drawImage(picture.preview, (104 - width * scale) / 2, (76 - height * scale) / 2, width * scale, height * scale);
    }
    const button = make("button", { type: "button", title: picture.name, onclick: () => { hideError(); show(picture); } }, small);
    button.setAttribute("role", "option");
    button.tabIndex = picture === current ? 0 : -1;
    button.setAttribute("aria-selected", picture === current);
    button.setAttribute("aria-label", `Picture ${i + 1}: ${picture.name}`);
    return button;
  }));
  if (hadFocus) $("album").querySelector("[aria-selected=true]")?.focus();
}
$("album").addEventListener("keydown", event => {
  const here = pictures.indexOf(current), last = pictures.length - 1;
  const there = { ArrowLeft: here - 1, ArrowUp: here - 1, ArrowRight: here + 1, ArrowDown: here + 1, Home: 0, End: last }[event.key];
  if (event.key === "Delete") remove();
  else if (there !== undefined) show(pictures[clamp(there, 0, last)]);
  else return;
  event.preventDefault();
});
function remove() {
  const at = pictures.indexOf(current), gone = current;
  if (at < 0) return;
  const inAlbum = $("album").contains(document.activeElement);
  clearTimeout(gone.timer);
  gone.replanning?.abort();
  pictures.splice(at, 1);
  hideError(gone.name);
  show(pictures[Math.min(at, pictures.length - 1)] ?? null);
  drawAlbum();
  say(`${gone.name} removed`);
  if (!current) $("choose-first").focus();
  else if (!inAlbum) $("remove").focus();
}
function drawPicture() {
  const { preview, saliency } = current;
  const size = preview ?? { width: 3, height: 2 };
  const most = Math.max(260, Math.min(innerHeight - 450, 760));
  $("canvas").style.aspectRatio = `${size.width} / ${size.height}`;
  $("canvas").style.maxWidth = `${most * size.width / size.height}px`;
  const photo = $("photo");
  photo.width = size.width; photo.height = size.height;
  if (preview) photo.getContext("2d").drawImage(preview, 0, 0);
  photo.setAttribute("aria-label", current.name);
  for (const kind of Object.keys(MAPS)) drawHeat($(`heat-${kind}`), saliency?.[kind].heat_map, kind);
  $("boxes").replaceChildren(...Object.entries(MAPS).flatMap(([kind, words]) => boxesIn(saliency?.[kind]).map(found => {
    const box = make("div", { className: kind }, make("span", { textContent: `${percent(found.confidence)} ${words}` }));
    box.classList.toggle("high", found.box.top * $("canvas").clientHeight < 20); // no room for its words above it
    box.classList.toggle("right", found.box.left + found.box.right > 1); // its words end where the box ends
    box.classList.toggle("low", (1 - found.box.bottom) * $("canvas").clientHeight > 20); // room below, where faces have no words
    place(box, found.box);
    return box;
  })));
}
const boxesIn = seen => seen?.salient_objects ?? seen?.faces ?? [];
/** The first frame of a shape: the planned one, or what somebody made of it. */
function frameOf(ratio) {
  const planned = current?.plan?.frames[ratio]?.[0], box = current?.edited[ratio];
  if (!planned || !box) return planned;
  const { objects, picture: { width, height } } = current.plan, inside = shares({ box });
  const at = (offset, room) => room ? `${(100 * offset / room).toFixed(2)}%` : "50%", exact = share => Number(share.toFixed(6));
  return {
    ...planned, box, padding: null, warnings: [], severity: 0, reason: "placed by hand",
    kept: exact(attentionIn(inside) ?? planned.kept), kept_objects: objects.map(o => exact(overlap(o.box, inside))),
    object_position: `${at(box.left, width - box.right + box.left)} ${at(box.top, height - box.bottom + box.top)}`,
  };
}
/** The plan with first frames of these shapes only, as they are shown, for the file by its name. */
const planNow = ratios => ({
  ...current.plan, picture: { ...current.plan.picture, name: current.name }, frames: Object.fromEntries(ratios.map(r => [r, [frameOf(r)]])),
});
/** The share of a box that lies inside another. */
function overlap(box, other) {
  const w = Math.min(box.right, other.right) - Math.max(box.left, other.left), h = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
  return Math.max(w, 0) * Math.max(h, 0) / ((box.right - box.left) * (box.bottom - box.top) || 1);
}
function shares(frame) {
  const { width, height } = current.plan.picture, { left, top, right, bottom } = frame.box;
  return { left: left / width, top: top / height, right: right / width, bottom: bottom / height };
}
function centred(box) {
  const w = box.right - box.left, h = box.bottom - box.top;
  return { left: (1 - w) / 2, top: (1 - h) / 2, right: (1 + w) / 2, bottom: (1 + h) / 2 };
}
/** The share of the attention inside a box, for frames of which no plan tells. */
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
  const ready = Boolean(current.plan && current.preview && frameOf(shape));
  $("frame").hidden = !ready;
  $("ratio-name").textContent = nameOf(shape);
  $("ratio").value = SHAPES.includes(shape) ? SHAPES.indexOf(shape) : stopOf(shape);
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
  $("kept").replaceChildren(make("b", { textContent: `Keeps ${percent(frame.kept)}` }), ` of the attention · ${size}${current.edited[shape] ? " · placed by hand" : ""}`);
  $("warnings").replaceChildren(...frame.warnings.map(w => make("li", { textContent: w })));
  dressFrame();
  drawShelf(comparing);
  drawCode();
}
function drawShelf(comparing) {
  const focused = $("shelf").contains(document.activeElement) ? document.activeElement.value : "";
  const across = $("shelf").clientWidth, all = USUAL.reduce((sum, ratio) => sum + wide(ratio), 0);
  const inOneRow = (across - 24 * (USUAL.length - 1)) / all;
  const height = comparing ? 130 : clamp(Math.floor(inOneRow), across > 700 ? 80 : 120, 180);
  const room = { width: comparing && across > 520 ? Math.min(across / 2.2, 390) : across, height };
  $("shelf").replaceChildren(...USUAL.map(ratio => {
    const frame = frameOf(ratio), box = shares(frame), crop = make("canvas");
    cut(crop, box, room);
    const button = make("button", { type: "button", value: ratio, onclick: () => choose(ratio) }, crop);
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
  if (focused) $("shelf").querySelector(`button[value="${focused}"]`)?.focus();
}
function choose(ratio) { shape = ratio; $("width").value = $("height").value = ""; if (current) drawFrames(); }
function dress() {
  const { map, view, tool } = Object.fromEntries(["map", "view", "tool"].map(n => [n, document.querySelector(`[name=${n}]:checked`).value]));
  Object.assign(body.dataset, { map, view, tool });
  const opacity = $("opacity").value;
  $("heat-attention").style.opacity = opacity / 100;
  $("heat-objectness").style.opacity = opacity / (map === "all" ? 220 : 100);  // below the others, all can be seen
  document.querySelector("output[for=opacity]").textContent = `${opacity} %`;
  document.querySelector("output[for=tightness]").textContent = `${$("tightness").value} %`;
  $("add-box").hidden = !["keep", "avoid"].includes(tool);
  $("smaller").hidden = $("larger").hidden = tool !== "frame";
  $("hint").hidden = tool === "look";
  $("hint").textContent = HINTS[tool] ?? HINTS.box;
  dressFrame();
}

// --- taking things away

const stem = () => current.name.replace(/\.[^.]*$/, "");
const target = () => `${stem()}_${shape.replace(":", "x")}.jpg`;
const shown = () => [...new Set([...USUAL, shape])];
function drawCode() {
  document.querySelectorAll("[role=tab]").forEach(t => {
    const on = t.textContent === tab;
    t.setAttribute("aria-selected", on);
    t.tabIndex = on ? 0 : -1;
  });
  const frame = current?.plan && frameOf(shape);
  $("code").textContent = frame ? CODE[tab]({
    picture: current, wishes: wishesOf(current), shape, frame, target: target(), plan: planNow(shown()), file: `${stem()}.plan.json`,
  }) : "";
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
function save(data, name) {
  const link = make("a", { href: URL.createObjectURL(data), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 30000);
}
async function fetched(button, ratios, pairs, accept, name) {
  const picture = current;
  button.disabled = true;
  try {
    save(await (await ask("/v1/render", [...pairs, ["format", "jpg"]], picture, { accept, plan: planNow(ratios) })).blob(), name);
    hideError(picture.name);
  } catch (error) {
    showError(picture, error);
  } finally {
    button.disabled = false;
  }
}
const downloadAll = () => fetched($("download"), shown(), [["size", ZIP_SIZE], ["enlarge", "false"]], "application/zip", `${stem()}_crops.zip`);
function downloadOne() {
  const size = typedSize();
  fetched($("download-one"), [shape], size ? [["size", size.join("x")]] : [], "image/jpeg", target());
}
const savePlan = () => save(new Blob([JSON.stringify(planNow(shown()), null, 1)], { type: "application/json" }), `${stem()}.plan.json`);
/** The size that was typed, where both sides of it are there. */
function typedSize() {
  const size = [$("width"), $("height")].map(input => input.checkValidity() ? Number(input.value) : 0);
  return size[0] && size[1] ? size : null;
}
function typed() {
  const size = typedSize();
  if (!size || !current?.plan) return;
  shape = lowest(...size);
  if (frameOf(shape)) drawFrames();
  else { current.shapes = [shape]; replan(); }
}

// --- wiring

setUpWishes({ current: () => current, replan });
setUpFrame({ current: () => current, shape: () => shape, frame: () => frameOf(shape), shares, draw: drawFrames });
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
$("download").onclick = () => current?.plan && downloadAll();
$("save-plan").onclick = () => current?.plan && savePlan();
$("download-one").onclick = () => current?.plan && downloadOne();
$("remove").onclick = remove;
$("width").onchange = $("height").onchange = typed;
$("choose").onclick = $("choose-first").onclick = () => $("file").click();
$("camera").onclick = () => openCamera(showError);
$("shoot").onclick = () => shoot(take);
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
