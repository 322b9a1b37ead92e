// The frame, placed by hand: dragged, resized at its corners, zoomed by wheel, fingers, keys and buttons.

import { $, at, body, clamp, drag, focusTool, percent, say, wide } from "./shared.js";

const CORNER = 26, SMALLEST = .08, STEP = .02, ZOOM = 1.06;
let page = null;
/** Say how to reach the picture, the shape and its frame, and how to have a change drawn. */
export function setUpFrame(hooks) { page = hooks; }

/** The largest frame of a shape, in pixels. */
function largest(ratio, { width, height }) {
  const r = wide(ratio);
  return r * height <= width ? [Math.max(Math.round(r * height), 1), height] : [width, Math.max(Math.round(width / r), 1)];
}
/** The box nearest to a middle and a width, in shares, that has the shape and lies inside the picture; in pixels. */
function boxAt(x, y, across) {
  const { picture } = page.current().plan, most = largest(page.shape(), picture);
  const zoom = clamp(across * picture.width / most[0], SMALLEST, 1);
  const w = Math.max(Math.round(most[0] * zoom), 1), h = zoom < 1 ? clamp(Math.round(w / wide(page.shape())), 1, most[1]) : most[1];
  const left = clamp(Math.round(x * picture.width - w / 2), 0, picture.width - w), top = clamp(Math.round(y * picture.height - h / 2), 0, picture.height - h);
  return { left, top, right: left + w, bottom: top + h };
}
/** Middle and width of the frame, in shares. */
function now() {
  const box = page.shares(page.frame());
  return { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2, across: box.right - box.left, box };
}
function put(x, y, across) {
  page.current().edited[page.shape()] = boxAt(x, y, across);
  page.draw();
}
export function zoom(by) {
  const { x, y, across } = now();
  put(x, y, across * by);
  say(`Keeps ${percent(page.frame().kept)} of the attention`);
}
export function resetFrame() {
  delete page.current().edited[page.shape()];
  page.draw();
  say("The planned frame is back");
  if (body.dataset.tool === "frame") $("frame").focus();
  else focusTool();
}
/** Make the frame a control where it is edited, and a mark on the picture otherwise. */
export function dressFrame() {
  const frame = $("frame"), editing = body.dataset.tool === "frame" && Boolean(page.current()?.plan);
  frame.tabIndex = editing ? 0 : -1;
  frame.setAttribute("aria-hidden", !editing);
  $("reset").hidden = !page.current()?.edited[page.shape()];
  if (!editing) return;
  const { box } = now();
  frame.setAttribute("aria-label", `Frame ${page.shape()}: left ${percent(box.left)}, top ${percent(box.top)}, width ${percent(box.right - box.left)} of the picture.`);
}

const fingers = new Map();
const apart = () => { const [a, b] = fingers.values(); return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY); };
$("canvas").addEventListener("pointerdown", event => {
  if (body.dataset.tool !== "frame" || !page.current()?.plan || event.button) return;
  const area = $("frame").getBoundingClientRect(), old = now(), start = at(event);
  fingers.set(event.pointerId, event);
  $("frame").focus({ preventScroll: true });
  if (fingers.size === 2) {
    const begun = apart();
    drag(event, (_, e) => {
      fingers.set(e.pointerId, e);
      if (fingers.size === 2) put(old.x, old.y, old.across * apart() / begun);
    }, () => fingers.clear());
    return;
  }
  const sides = [["left", event.clientX - area.left], ["right", area.right - event.clientX]], ends = [["top", event.clientY - area.top], ["bottom", area.bottom - event.clientY]];
  const near = list => list.find(([, distance]) => Math.abs(distance) < CORNER)?.[0], side = near(sides), end = near(ends);
  drag(event, (now, e) => {
    fingers.set(e.pointerId, e);
    if (side && end) {  // the corner across from this one stays
      const from = old.box[side === "left" ? "right" : "left"], to = old.box[end === "top" ? "bottom" : "top"];
      const tall = (old.box.bottom - old.box.top) / old.across;
      const room = Math.min(side === "left" ? from : 1 - from, (end === "top" ? to : 1 - to) / tall);
      const across = clamp(Math.max(Math.abs(now.x - from), Math.abs(now.y - to) / tall), .01, room);
      put(from + (side === "left" ? -across : across) / 2, to + (end === "top" ? -across : across) * tall / 2, across);
    } else {
      put(old.x + now.x - start.x, old.y + now.y - start.y, old.across);
    }
  }, () => fingers.clear());
});
$("canvas").addEventListener("wheel", event => {
  if (body.dataset.tool !== "frame" || !page.current()?.plan) return;
  event.preventDefault();
  zoom(Math.exp(clamp(event.deltaY, -100, 100) * .001));
}, { passive: false });
$("frame").addEventListener("keydown", event => {
  const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
  const { x, y, across } = now();
  if (step && !event.shiftKey) put(x + step[0], y + step[1], across);
  else if (step || "+=-".includes(event.key)) zoom((step ? step[0] + step[1] > 0 : event.key !== "-") ? ZOOM : 1 / ZOOM);
  else if (event.key === "Escape") resetFrame();
  else return;
  event.preventDefault();
});
$("smaller").onclick = () => zoom(1 / ZOOM);
$("larger").onclick = () => zoom(ZOOM);
$("reset").onclick = resetFrame;
