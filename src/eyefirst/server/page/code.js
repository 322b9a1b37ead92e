// What can be copied: each function returns text for the picture, its wishes, the shape and its frame.

import { text } from "./shared.js";

const quoted = name => `'${name.replaceAll("'", `'\\''`)}'`;
const python = box => `eyefirst.Box(${text(box).replaceAll(",", ", ")})`;
export const CODE = {
  CSS(now) {
    const { box } = now.frame, { width, height } = now.plan.picture;
    const isLargest = box.right - box.left >= width - 1 || box.bottom - box.top >= height - 1;
    const note = isLargest ? "" : "  /* the place; how tight the frame is needs a real crop */\n";
    return `.picture {\n  width: 100%;\n  aspect-ratio: ${now.shape.replace(":", " / ")};\n  object-fit: cover;\n  object-position: ${now.frame.object_position};\n${note}}`;
  },
  Python(now) {
    const written = `eyefirst.write_picture(picture, ${JSON.stringify(now.target)})`;
    if (now.picture.edited[now.shape]) {
      const plan = `eyefirst.CropPlan.from_json(Path(${JSON.stringify(now.file)}).read_text())`;
      return `# after "Save plan"\nfrom pathlib import Path\n\nimport eyefirst\n\nplan = ${plan}\npicture = eyefirst.render_plan(plan, ${JSON.stringify(now.picture.name)})["${now.shape}"][0]\n${written}`;
    }
    const lists = [["must_keep", "keep"], ["avoid", "avoid"]].map(([name, kind]) =>
      [name, now.picture.wishes.filter(w => w.kind === kind).map(w => python(w.box)).join(", ")]).filter(([, boxes]) => boxes);
    const more = lists.map(([name, boxes]) => `,\n    ${name}=[${boxes}]`).join("") + (now.picture.tightness ? `,\n    tightness=${now.picture.tightness}` : "");
    return `import eyefirst\n\npicture = eyefirst.crop(${JSON.stringify(now.picture.name)}, "${now.shape}"${more})\n${written}`;
  },
  curl(now) {
    const query = [["ratio", now.shape], ...now.wishes, ["format", "jpg"]].map(([n, v]) => `${n}=${v}`).join("&");
    const key = sessionStorage.getItem("eyefirst-key") ? ` \\\n  -H "Authorization: Bearer $EYEFIRST_API_KEY"` : "";
    if (now.picture.edited[now.shape]) {
      return `# after "Save plan"\ncurl -F ${quoted(`picture=@${now.picture.name}`)} -F ${quoted(`plan=<${now.file}`)}${key} \\\n  '${location.origin}/v1/render' -o crops.zip`;
    }
    return `curl --data-binary ${quoted(`@${now.picture.name}`)}${key} \\\n  '${location.origin}/v1/crop?${query}' \\\n  -o ${quoted(now.target)}`;
  },
  JSON: now => JSON.stringify(now.plan, null, 1),
};
