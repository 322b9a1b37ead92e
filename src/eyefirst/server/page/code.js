// What can be copied: each function returns text for the picture, its wishes, the shape and its frame.

import { text, USUAL } from "./shared.js";

const quoted = name => `'${name.replaceAll("'", `'\\''`)}'`;
const python = box => `eyefirst.Box(${text(box).replaceAll(",", ", ")})`;
export const CODE = {
  CSS(now) {
    const note = now.picture.tightness ? "  /* the place; how tight the frame is needs a real crop */\n" : "";
    return `.picture {\n  width: 100%;\n  aspect-ratio: ${now.shape.replace(":", " / ")};\n  object-fit: cover;\n  object-position: ${now.frame.object_position};\n${note}}`;
  },
  Python(now) {
    const lists = [["must_keep", "keep"], ["avoid", "avoid"]].map(([name, kind]) =>
      [name, now.picture.wishes.filter(w => w.kind === kind).map(w => python(w.box)).join(", ")]).filter(([, boxes]) => boxes);
    const more = lists.map(([name, boxes]) => `,\n    ${name}=[${boxes}]`).join("") + (now.picture.tightness ? `,\n    tightness=${now.picture.tightness}` : "");
    return `import eyefirst\n\neyefirst.crop(${JSON.stringify(now.picture.name)}, "${now.shape}"${more}).save(${JSON.stringify(now.target)})`;
  },
  curl(now) {
    const query = [["ratio", now.shape], ...now.wishes].map(([n, v]) => `${n}=${v}`).join("&");
    const key = sessionStorage.getItem("eyefirst-key") ? ` \\\n  -H "Authorization: Bearer $EYEFIRST_API_KEY"` : "";
    return `curl --data-binary ${quoted(`@${now.picture.name}`)}${key} \\\n  '${location.origin}/v1/crop?${query}' \\\n  -o ${quoted(now.target)}`;
  },
  JSON(now) {
    const { frames, ...plan } = now.picture.plan;
    const wanted = [...new Set([...USUAL, now.shape])];
    return JSON.stringify({ ...plan, frames: Object.fromEntries(wanted.map(r => [r, frames[r]])) }, null, 1);
  },
};
