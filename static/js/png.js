// A graph as PNG: the server's SVG file, drawn on a canvas of at most 16 million pixels.

import { ask } from "./parts.js";

const PIXELS = 16e6;
const SIDE = 16_000;

function saved(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function image(text) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await picture.decode();
  return picture;
}

export async function png(button, figure) {
  const source = figure.querySelector("[data-file=svg]");
  button.disabled = true;
  try {
    const answer = await ask(source);
    if (!answer.ok) throw new Error("no drawing");
    const picture = await image(await answer.text());
    const { naturalWidth: width, naturalHeight: height } = picture;
    const scale = Math.min(2, Math.sqrt(PIXELS / (width * height)), SIDE / width, SIDE / height);
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const name = /filename="([^"]+)\.svg"/.exec(answer.headers.get("content-disposition"))?.[1];
    saved(blob, `${name ?? "control-flow"}.png`);
  } catch {
    button.textContent = "PNG failed";
  } finally {
    button.disabled = false;
  }
}
