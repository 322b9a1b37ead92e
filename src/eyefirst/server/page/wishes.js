// Boxes that crops must keep or should avoid: drawn with a mouse or a finger, moved with the keyboard.

import { $, at, body, clamp, drag, focusTool, make, place, text } from "./shared.js";

let page = null;
/** Say how to reach the picture that is shown, and how to have its plan made anew. */
export function setUpWishes(hooks) { page = hooks; }

export function drawWishes() {
  const focused = page.current().wishes.findIndex(w => w.element && w.element === document.activeElement);
  page.current().wishes.forEach((wish, i) => {
    const words = wish.kind === "keep" ? "Must keep" : "Avoid";
    wish.element = make("button", { type: "button", className: `wish ${wish.kind}` });
    wish.element.setAttribute("aria-roledescription", "box");
    wish.element.setAttribute("aria-label", `${words} ${i + 1}: ${text(wish.box)}. Arrow keys move, Shift and arrow keys resize, Delete removes.`);
    place(wish.element, wish.box);
    wish.element.onpointerdown = event => grab(event, wish);
    wish.element.onkeydown = event => press(event, wish);
  });
  $("wishes").replaceChildren(...page.current().wishes.map(w => w.element));
  page.current().wishes[focused]?.element.focus();
  $("clear-boxes").hidden = !page.current().wishes.length;
}
function grab(event, wish) {
  event.stopPropagation();
  const area = wish.element.getBoundingClientRect(), start = at(event), old = { ...wish.box };
  const resizing = event.clientX > area.right - 18 && event.clientY > area.bottom - 18;
  wish.element.focus();
  drag(event, now => {
    change(wish, old, now.x - start.x, now.y - start.y, resizing);
    place(wish.element, wish.box);
  }, () => { drawWishes(); page.replan(); });
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
    page.current().wishes.splice(page.current().wishes.indexOf(wish), 1);
    focusTool();
  } else return;
  event.preventDefault();
  drawWishes();
  page.replan();
}
$("canvas").addEventListener("pointerdown", event => {
  const kind = body.dataset.tool;
  if (!["keep", "avoid"].includes(kind) || !page.current()?.plan || event.button) return;
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
export function addWish(kind, box) {
  page.current().wishes.push({ kind, box });
  drawWishes();
  page.current().wishes.at(-1).element.focus();
  page.replan();
}
