// Shows a depth map and reads metres under the cursor or the finger. Gradio runs this once with `element`, where the
// HTML stands, `props`, whose value is what write_view gave, and `watch`, which calls back when that has changed.
const find = (name) => element.querySelector(name);
const [empty, view, stage, image, mark, label, bar, ticks, reading] =
  [".empty", ".view", ".stage", ".stage img", ".mark", ".label", ".bar", ".ticks", ".reading"].map(find);
const HINT = "Point at the picture, or tap it, to read metres.";
let shown = null; // the value on show
let metres = null; // millimetres of its pixels, row by row; null until they are read

// A 16-bit grey PNG holds rows of big-endian numbers, each row behind the number of its filter (PNG, 3rd edition, 9).
async function readDepth(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error("the depth has left the server; run it again");
  const bytes = new Uint8Array(await response.arrayBuffer());
  const numbers = new DataView(bytes.buffer);
  const width = numbers.getUint32(16), height = numbers.getUint32(20), stride = 2 * width;
  const parts = [];
  for (let at = 8; at < bytes.length; at += 12 + numbers.getUint32(at)) {
    if (numbers.getUint32(at + 4) === 0x49444154) parts.push(bytes.subarray(at + 8, at + 8 + numbers.getUint32(at)));
  }
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(inflated).arrayBuffer());
  const depth = new Uint16Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1), filter = rows[start];
    const row = rows.subarray(start + 1, start + 1 + stride);
    for (let i = 0; i < stride; i++) {
      const left = i > 1 ? row[i - 2] : 0, up = above[i], corner = i > 1 ? above[i - 2] : 0;
      if (filter === 1) row[i] += left;
      else if (filter === 2) row[i] += up;
      else if (filter === 3) row[i] += (left + up) >> 1;
      else if (filter === 4) {
        const toLeft = Math.abs(up - corner), toUp = Math.abs(left - corner), toCorner = Math.abs(left + up - 2 * corner);
        row[i] += toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
      }
    }
    for (let x = 0; x < width; x++) depth[y * width + x] = (row[2 * x] << 8) | row[2 * x + 1];
    above = row;
  }
  return depth;
}

function forget() {
  mark.hidden = label.hidden = true;
  reading.textContent = HINT;
}

async function show() {
  const value = props.value;
  shown = value;
  metres = null;
  view.hidden = !value;
  empty.hidden = !!value;
  forget();
  if (!value) return;
  image.src = value.picture.url;
  stage.style.maxWidth = `calc(70vh * ${value.width / value.height})`;
  bar.style.setProperty("--colours", value.colours.join(", "));
  ticks.replaceChildren(...value.ticks.map(([text, place]) => {
    const tick = document.createElement("span");
    tick.textContent = text;
    tick.style.setProperty("--place", `${100 * place}%`);
    return tick;
  }));
  try {
    const depth = await readDepth(value.metres.url);
    if (shown === value) metres = depth;
  } catch (error) {
    if (shown === value) reading.textContent = `No metres here: ${error.message}.`;
  }
}

function read(event) {
  if (!metres) return;
  const box = image.getBoundingClientRect();
  const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
  if (across < 0 || across >= 1 || down < 0 || down >= 1) return forget();
  const x = Math.floor(across * shown.width), y = Math.floor(down * shown.height);
  const depth = metres[y * shown.width + x];
  const words = depth ? `${(depth / 1000).toFixed(2)} m` : "unknown";
  mark.style.left = `${100 * across}%`;
  label.style.left = `clamp(2.4em, ${100 * across}%, 100% - 2.4em)`;
  mark.style.top = label.style.top = `${100 * down}%`;
  label.classList.toggle("below", down < 0.15);
  label.textContent = words;
  mark.hidden = label.hidden = false;
  reading.textContent = `${words} at pixel (${x}, ${y})`;
}

stage.addEventListener("pointermove", read);
stage.addEventListener("pointerdown", read);
stage.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && forget());
watch("value", show);
show();
