// The mouse by pixel of the screen. The terminal tells whole pixels of the page's layout, of which
// a dense screen has several: its reports get the place that the browser told.
"use strict";

class PagePointer {
  constructor(terminal) {
    this.terminal = terminal;
    this.place = null;
    for (const name of ["pointermove", "pointerdown", "pointerup", "wheel"]) {
      document.addEventListener(name, (event) => this.note(event), { capture: true, passive: true });
    }
  }

  note({ clientX, clientY }) {
    this.place = [clientX, clientY];
  }

  // Keys and mouse as the terminal writes them; of a mouse report the place in device pixels.
  refine(typed) {
    const report = /^\x1b\[<(\d+);\d+;\d+([Mm])$/.exec(typed);
    if (!report || !this.place) return typed;
    const { box, across, down } = measureCells(this.terminal);
    const [x, y] = [
      Math.floor(((this.place[0] - box.left) * across) / box.width),
      Math.floor(((this.place[1] - box.top) * down) / box.height),
    ];
    const column = Math.min(Math.max(x, 0), across - 1) + 1;
    const row = Math.min(Math.max(y, 0), down - 1) + 1;
    return `\x1b[<${report[1]};${column};${row}${report[2]}`;
  }
}
