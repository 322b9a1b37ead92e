// The page: everything that decides is the service's; here it is asked, drawn and copied.

import { openCamera, shoot } from "./camera.js";
import { CODE } from "./code.js";
import { dressFrame, setUpFrame } from "./frame.js";
import {
  $, body, centred, clamp, copied, count, cut, decode, drawHeat, focusTool, hideError, lowest, make, MAPS, nameOf, overlap, percent, place, post, PREVIEW,
  save, say, shareIn, SHAPES, showError, stopOf, text, USUAL, wide, ZIP_SIZE,
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
    file, name: file.name || "picture.jpg", wishes: [], shapes: [], asked: [], edited: {}, tightness: 0, preview: null, saliency: null, plan: null,
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
    picture.saliency = saliency;
    picture.plan ??= plan; // or one with newer wishes has come already
    const { width, height } = plan.picture, preview = await early;
    if (!preview || Math.abs(preview.width / preview.height / (width / height) - 1) > .02) {
      const most = Math.min(PREVIEW, Math.max(width, height));
      const pairs = [["ratio", `${width}:${height}`], ["size", `${most}x${most}`], ["format", "jpg"]];
      picture.preview = await decode(await (await ask("/v1/crop", pairs, picture, { accept: "image/jpeg" })).blob());
    }
    say(`${picture.name}: ${count(plan.objects.length, "subject")} and ${count(saliency.faces.faces.length, "face")} found`);
  } catch (error) {
    if (!pictures.includes(picture)) return; // it was taken away meanwhile
    if (!picture.plan) pictures.splice(pictures.indexOf(picture), 1);
    if (current === picture && !picture.plan) show(pictures.at(-1) ?? null);
    showError(picture, error);
  } finally {
    body.classList.toggle("working", --asking > 0);
  }
  refresh(picture);
}
const planned = (picture, signal) =>
  ask("/v1/plan", [...new Set([...SHAPES, ...picture.shapes, ...picture.asked])].map(s => ["ratio", s]).concat(wishesOf(picture)), picture, { signal }).then(a => a.json());

function replan() {
  const picture = current;
  clearTimeout(picture.timer);
  picture.replanning?.abort();
  picture.timer = setTimeout(async () => {
    const replanning = picture.replanning = new AbortController();
    body.classList.toggle("working", ++asking > 0);
    try {
      picture.plan = await planned(picture, replanning.signal);
      hideError(picture);
      takeShape(picture);
      refresh(picture);
    } catch (error) {
      if (error.name === "AbortError") return;
      showError(picture, error);
      if (picture.asked.length && picture === current) choose(shape); // the size that was typed is not to be had
      Object.assign(picture, { asked: [], downloads: false });
    } finally {
      body.classList.toggle("working", --asking > 0);
    }
  }, 180);
}
// --- drawing

function show(picture) {
  if (picture !== current) clearSize();
  current = picture;
  if (!SHAPES.includes(shape) && !frameOf(shape)) shape = "16:9";
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
  hideError(gone);
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
function shares(frame) {
  const { width, height } = current.plan.picture, { left, top, right, bottom } = frame.box;
  return { left: left / width, top: top / height, right: right / width, bottom: bottom / height };
}
/** The share of the attention inside a box, for frames of which no plan tells. */
const attentionIn = box => shareIn(current.saliency?.attention?.heat_map, box);
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
  cut($("live"), current.preview, box, { width: 310, height: 186 });
  $("live").setAttribute("aria-label", `Crop to ${nameOf(shape)}`);
  const size = `${frame.box.right - frame.box.left} × ${frame.box.bottom - frame.box.top}`;
  $("kept").replaceChildren(make("b", { textContent: `Keeps ${percent(frame.kept)}` }), ` of the attention · ${size}${current.edited[shape] ? " · placed by hand" : ""}`);
  $("warnings").replaceChildren(...[...frame.warnings, ...enlarged(frame.box)].map(w => make("li", { textContent: w })));
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
    cut(crop, current.preview, box, room);
    const button = make("button", { type: "button", value: ratio, onclick: () => choose(ratio) }, crop);
    button.setAttribute("aria-label", `${ratio}, keeps ${percent(frame.kept)} of the attention`);
    const pair = make("div", { className: "pair" }, button);
    const caption = make("figcaption", {}, make("b", { textContent: ratio }), " ", make("span", { textContent: `keeps ${percent(frame.kept)}` }));
    if (comparing) {
      const other = make("canvas"), kept = attentionIn(centred(box));
      cut(other, current.preview, centred(box), room);
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
function choose(ratio) { shape = ratio; clearSize(); if (current) { current.asked = []; drawFrames(); } }
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
  if (!await copied($("code"))) return;
  $("copy").textContent = "Copied";
  say(`${tab} copied`);
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
}
async function fetched(button, ratios, pairs, accept, name) {
  const picture = current;
  button.disabled = true;
  try {
    save(await (await ask("/v1/render", [...pairs, ["format", "jpg"]], picture, { accept, plan: planNow(ratios) })).blob(), name);
    hideError(picture);
  } catch (error) {
    showError(picture, error);
  } finally {
    button.disabled = false;
  }
}
const downloadAll = () => fetched($("download"), shown(), [["size", ZIP_SIZE], ["enlarge", "false"]], "application/zip", `${stem()}_crops.zip`);
function downloadOne() {
  if (current.asked.length) { current.downloads = true; return; } // once the plan of this shape is there
  if (![$("width"), $("height")].every(input => input.reportValidity())) return;
  const size = typedSize();
  fetched($("download-one"), [shape], size ? [["size", size.join("x")]] : [], "image/jpeg", target());
}
const savePlan = () => save(new Blob([JSON.stringify(planNow(shown()), null, 1)], { type: "application/json" }), `${stem()}.plan.json`);
/** The size that was typed; a side that was not follows from the shape. Null where there is none. */
function typedSize() {
  const inputs = [$("width"), $("height")], [width, height] = inputs.map(input => Number(input.value));
  if (!(width || height) || !inputs.every(input => input.checkValidity())) return null;
  return [width || Math.max(Math.round(height * wide(shape)), 1), height || Math.max(Math.round(width / wide(shape)), 1)];
}
function typed() {
  if (!current?.plan) return;
  const both = $("width").value && $("height").value ? typedSize() : null;
  const ratio = both ? lowest(...both) : shape;
  current.asked = frameOf(ratio) ? [] : [ratio];
  if (current.asked.length) return replan();
  shape = ratio;
  drawFrames();
}
/** Take over the shape of a size that was typed, now that there is a plan of it. */
function takeShape(picture) {
  const { asked, downloads } = picture;
  Object.assign(picture, { asked: [], downloads: false });
  if (!asked.length) return;
  picture.shapes = asked;
  if (picture !== current) return;
  [shape] = asked;
  if (downloads) downloadOne();
}
function clearSize() { $("width").value = $("height").value = ""; }
/** What is said where the size that was typed has more pixels than the frame. */
function enlarged(box) {
  const size = typedSize(), frame = [box.right - box.left, box.bottom - box.top];
  return size && size[0] > frame[0] && size[1] > frame[1] ? [`${size.join(" × ")} is larger than the frame of ${frame.join(" × ")} pixels`] : [];
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
$("clear-boxes").onclick = () => { current.wishes = []; drawWishes(); focusTool(); replan(); };
$("copy").onclick = copy;
$("download").onclick = () => current?.plan && downloadAll();
$("save-plan").onclick = () => current?.plan && savePlan();
$("download-one").onclick = () => current?.plan && downloadOne();
$("remove").onclick = remove;
$("width").onchange = $("height").onchange = typed;
$("choose").onclick = $("choose-first").onclick = () => $("file").click();
$("camera").onclick = () => openCamera();
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
