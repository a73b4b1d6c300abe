// Pictures over the cells of the terminal: kept by number, laid where the app says that they are
// seen, in pixels of the screen. The protocol is described in ptacl_app/terminal/page.py.
"use strict";

const PICTURE_COMMAND = 7770;
const MAX_KEPT_PX = 128 * 2 ** 20; // four bytes each; the app keeps below this by itself

// The terminal's cells. A canvas has whole pixels of the screen for each; where nothing draws on
// one (no WebGL), cells are as wide as the letters, and pictures are stretched to the layout.
function measureCells(terminal) {
  const screen = terminal.element.querySelector(".xterm-screen");
  const canvas = screen.querySelector("canvas:not(.pictures):not(.xterm-link-layer)");
  const box = (canvas || screen).getBoundingClientRect();
  const [wide, high] = canvas
    ? [canvas.width, canvas.height]
    : [box.width * devicePixelRatio, box.height * devicePixelRatio];
  const width = Math.max(Math.round(wide / terminal.cols), 1);
  const height = Math.max(Math.round(high / terminal.rows), 1);
  const [across, down] = canvas ? [wide, high] : [width * terminal.cols, height * terminal.rows];
  return { box, width, height, across, down, isOnCanvas: canvas !== null };
}

class PagePictures {
  // `tell` is given the number of the last write that is on the screen.
  constructor(terminal, tell) {
    this.terminal = terminal;
    this.tell = tell;
    this.screen = terminal.element.querySelector(".xterm-screen");
    this.canvas = document.createElement("canvas");
    this.canvas.className = "pictures";
    this.canvas.setAttribute("aria-hidden", "true");
    this.screen.append(this.canvas);
    this.pen = this.canvas.getContext("2d");
    this.kept = new Map(); // number -> { bitmap, columns, rows }
    this.numKeptPx = 0;
    this.panes = new Map(); // slot -> { picture, blocks, drawn, element }
    this.changed = new Set();
    this.lastDrawn = 0;
    this.isTelling = false;
    terminal.parser.registerOscHandler(PICTURE_COMMAND, (text) => this.obey(text));
  }

  // A cell in pixels of the screen, as the terminal itself draws it, and how many of them make one
  // of the page's layout, across and down.
  get cell() {
    const { box, width, height, across, down, isOnCanvas } = measureCells(this.terminal);
    if (isOnCanvas) return { width, height, ratio: devicePixelRatio, ratioDown: devicePixelRatio };
    return { width, height, ratio: across / box.width, ratioDown: down / box.height };
  }

  // True, or a promise of it while the terminal waits: the text that follows comes after.
  obey(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return true; // not of our app
    }
    switch (message.do) {
      case "upload":
        return this.keep(message);
      case "show":
        this.show(message);
        break;
      case "forget":
        this.forget(message.picture);
        break;
      case "forget all":
        this.forgetAll();
        break;
      case "drawn":
        this.draw();
        this.tellDrawn(message.number);
    }
    return true;
  }

  async keep({ picture, columns, rows, png }) {
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
    let bitmap;
    try {
      bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
        colorSpaceConversion: "none",
      });
    } catch (error) {
      console.error(`picture ${picture} cannot be read`, error);
      return true;
    }
    this.forget(picture);
    this.kept.set(picture, { bitmap, columns, rows });
    this.numKeptPx += bitmap.width * bitmap.height;
    for (const number of this.kept.keys()) {
      if (this.numKeptPx <= MAX_KEPT_PX || number === picture) break;
      this.forget(number);
    }
    return true;
  }

  show({ slot, picture, label, at }) {
    const pane = this.panes.get(slot) || { drawn: [], element: null };
    Object.assign(pane, { picture, blocks: at, label });
    this.panes.set(slot, pane);
    this.changed.add(slot);
  }

  forget(number) {
    const picture = this.kept.get(number);
    if (!picture) return;
    this.kept.delete(number);
    this.numKeptPx -= picture.bitmap.width * picture.bitmap.height;
    picture.bitmap.close();
    for (const [slot, pane] of this.panes) {
      if (pane.picture !== number) continue;
      pane.blocks = [];
      this.changed.add(slot);
    }
  }

  forgetAll() {
    for (const number of [...this.kept.keys()]) this.forget(number);
    for (const slot of this.panes.keys()) this.changed.add(slot);
  }

  // First everything that changed goes, then what is seen of it now comes: blocks of two panes
  // never share a cell, but one may stand where another stood.
  draw() {
    if (this.changed.size === 0) return;
    if (this.fitCanvas()) for (const slot of this.panes.keys()) this.changed.add(slot);
    const { width, height } = this.cell;
    const panes = [...this.changed].map((slot) => [slot, this.panes.get(slot)]);
    for (const [, pane] of panes) {
      for (const [x, y, columns, rows] of pane.drawn) {
        this.pen.clearRect(x * width, y * height, columns * width, rows * height);
      }
    }
    for (const [slot, pane] of panes) {
      const picture = this.kept.get(pane.picture);
      pane.drawn = picture ? pane.blocks : [];
      for (const block of pane.drawn) this.drawBlock(picture, block);
      this.name(slot, pane);
    }
    this.changed.clear();
  }

  drawBlock({ bitmap, columns, rows }, [x, y, across, down, left, top]) {
    const { width, height } = this.cell;
    const [wide, high] = [bitmap.width / columns, bitmap.height / rows];
    this.pen.imageSmoothingEnabled = wide !== width || high !== height;
    this.pen.drawImage(
      bitmap, left * wide, top * high, across * wide, down * high,
      x * width, y * height, across * width, down * height,
    );
  }

  // What the picture shows, in words, at its place: for those who do not see it.
  name(slot, pane) {
    if (pane.drawn.length === 0 || !pane.label) {
      if (pane.element) pane.element.remove();
      if (pane.drawn.length === 0) this.panes.delete(slot);
      pane.element = null;
      return;
    }
    if (!pane.element) {
      pane.element = document.createElement("div");
      pane.element.className = "picture";
      pane.element.setAttribute("role", "img");
      this.screen.append(pane.element);
    }
    if (pane.element.getAttribute("aria-label") !== pane.label) {
      pane.element.setAttribute("aria-label", pane.label);
    }
    const { width, height, ratio, ratioDown } = this.cell;
    const left = Math.min(...pane.drawn.map(([x]) => x));
    const top = Math.min(...pane.drawn.map(([, y]) => y));
    const right = Math.max(...pane.drawn.map(([x, , columns]) => x + columns));
    const bottom = Math.max(...pane.drawn.map(([, y, , rows]) => y + rows));
    const place =
      `left:${(left * width) / ratio}px;top:${(top * height) / ratioDown}px;` +
      `width:${((right - left) * width) / ratio}px;` +
      `height:${((bottom - top) * height) / ratioDown}px`;
    if (pane.element.dataset.place !== place) {
      pane.element.dataset.place = place;
      pane.element.style.cssText = place;
    }
  }

  // The canvas has the terminal's pixels; after a change of size it is empty.
  fitCanvas() {
    const { width, height, ratio, ratioDown } = this.cell;
    const across = width * this.terminal.cols;
    const down = height * this.terminal.rows;
    const wide = `${across / ratio}px`;
    if (this.canvas.width === across && this.canvas.height === down) {
      if (this.canvas.style.width === wide) return false;
    }
    this.canvas.width = across;
    this.canvas.height = down;
    this.canvas.style.width = wide;
    this.canvas.style.height = `${down / ratioDown}px`;
    return true;
  }

  // Once a frame; never while nobody looks at the page, so that the app does not play for nobody.
  tellDrawn(number) {
    this.lastDrawn = number;
    if (this.isTelling) return;
    this.isTelling = true;
    requestAnimationFrame(() => {
      this.isTelling = false;
      this.tell(this.lastDrawn);
    });
  }
}
