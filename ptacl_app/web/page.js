// The page around the terminal: keys work without a click, a reload returns to the same app, a lost
// connection is said and mended, pictures lie over the cells.
"use strict";
(() => {
  const KEY = "ptacl-app";
  const RETRY_MS = 1000;
  const SETTLE_MS = 60;
  const DENSITY_MS = 500;
  const COLUMNS = 146; // at least so many cells, where the letters stay legible
  const ROWS = 40;
  const FONT = '"PTACL Mono", monospace';
  const ADVANCE_EM = 0.6021; // of a letter of the font
  const LINE_EM = 1.1641;
  const SMALLEST_PX = 11;
  const LARGEST_PX = 18;
  const MAX_WAITING = 1000;
  const COPY_COMMAND = 52;
  const TOLD_MS = 6000;

  // Each tab has an app of its own; only a reload of the tab returns to it.
  function chooseApp() {
    const [navigation] = performance.getEntriesByType("navigation");
    const isReload = navigation && navigation.type === "reload";
    const kept = sessionStorage.getItem(KEY);
    if (isReload && kept) return kept;
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem(KEY, name);
    return name;
  }

  function focusTerminal() {
    const keyboard = document.querySelector(".xterm-helper-textarea");
    if (keyboard) keyboard.focus({ preventScroll: true });
  }

  // textual.js holds xterm.js and a client that knows no pictures: we take the client as it is
  // built, before it connects, and connect its terminal ourselves.
  function takeClient(build) {
    let client = null;
    Object.defineProperty(Object.prototype, "websocket_url", {
      configurable: true,
      set() {
        client = this;
        for (const name of ["connect", "fit", "sendSize"]) this[name] = () => {};
      },
    });
    try {
      build();
    } finally {
      delete Object.prototype.websocket_url;
    }
    return client;
  }

  // Letters as large as the window allows; the browser's zoom, which the outer size tells, then
  // enlarges them.
  function chooseFontPx() {
    const zoom = Math.max(window.outerWidth / window.innerWidth || 1, 1);
    const ratio = window.devicePixelRatio;
    const holds = (px) =>
      Math.floor(ADVANCE_EM * px * ratio) * COLUMNS <= window.innerWidth * zoom * ratio &&
      Math.ceil(LINE_EM * px * ratio) * ROWS <= window.innerHeight * zoom * ratio;
    let px = LARGEST_PX;
    while (px > SMALLEST_PX && !holds(px)) px -= 1;
    return px;
  }

  class Connection {
    constructor(address) {
      this.address = address;
      this.socket = null;
      this.waiting = [];
    }

    open(size, onBytes) {
      this.socket = new WebSocket(`${this.address}?${new URLSearchParams(size)}`);
      this.socket.binaryType = "arraybuffer";
      this.socket.addEventListener("open", () => {
        for (const text of this.waiting.splice(0)) this.socket.send(text);
      });
      this.socket.addEventListener("close", () => document.body.classList.add("-closed"));
      this.socket.addEventListener("message", ({ data }) => {
        if (typeof data !== "string") return onBytes(new Uint8Array(data));
        const [word, value] = JSON.parse(data);
        if (word === "deliver_file_start") download(value);
      });
    }

    // Keys that come before the connection are kept for it.
    send(...message) {
      const text = JSON.stringify(message);
      if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
      else if (this.waiting.length < MAX_WAITING) this.waiting.push(text);
    }
  }

  // A window of ours saves by its own dialog; elsewhere it is a download, which needs no new window.
  function download(key) {
    const offer = new CustomEvent("ptacl-delivery", { detail: key, cancelable: true });
    if (!window.dispatchEvent(offer)) return;
    const link = document.createElement("a");
    link.href = `/download/${encodeURIComponent(key)}`;
    link.download = "";
    link.click();
  }

  function startTerminal(client, address, notice) {
    const { terminal, fitAddon } = client;
    const connection = new Connection(address);
    terminal.options.fontFamily = FONT;
    const pictures = new PagePictures(terminal, (number) => connection.send("drawn", number));
    const pointer = new PagePointer(terminal);
    client.socket = {
      send(text) {
        const [word, value] = JSON.parse(text);
        if (word === "stdin") connection.send(word, pointer.refine(value));
        else connection.send(word);
      },
    };
    let told = "";
    const describeSize = () => {
      const { width, height } = pictures.cell;
      const [columns, rows] = [terminal.cols, terminal.rows];
      return { width: columns, height: rows, cell_width: width, cell_height: height };
    };
    const fit = () => {
      terminal.options.fontSize = chooseFontPx();
      fitAddon.fit();
      const { box, width, isOnCanvas } = measureCells(terminal);
      if (isOnCanvas) return;
      // letters of a whole number of pixels, so that pictures are not stretched
      const drawn = (box.width * devicePixelRatio) / terminal.cols;
      terminal.options.fontSize *= width / drawn;
      fitAddon.fit();
    };
    let settling = 0;
    const tellSize = () => {
      clearTimeout(settling);
      settling = setTimeout(() => {
        const size = describeSize();
        if (JSON.stringify(size) === told) return;
        told = JSON.stringify(size);
        connection.send("resize", size);
      }, SETTLE_MS);
    };
    window.onresize = () => {
      fit();
      tellSize();
    };
    fit();
    const size = describeSize();
    told = JSON.stringify(size);
    connection.open(size, (bytes) => terminal.write(bytes));
    watchDensity();
    letBrowserPaste(terminal);
    takeCopies(terminal, notice);
    focusTerminal();
  }

  // A window that moves to another screen, or is zoomed, has other pixels; not every browser says
  // so in time. The terminal looks at it when the window is resized, and so do we.
  function watchDensity() {
    let ratio = window.devicePixelRatio;
    setInterval(() => {
      if (ratio === window.devicePixelRatio) return;
      ratio = window.devicePixelRatio;
      window.dispatchEvent(new Event("resize"));
    }, DENSITY_MS);
  }

  // Ctrl+V would be a control character to a terminal; here it is the browser's paste.
  function letBrowserPaste(terminal) {
    terminal.attachCustomKeyEventHandler((event) => {
      const isPaste = event.key.toLowerCase() === "v" && (event.ctrlKey || event.metaKey);
      return !(isPaste && event.type === "keydown" && !event.altKey);
    });
  }

  // What the app copies goes to the browser's clipboard; what lies there is never given to the app
  // but by a paste. The addon of textual.js would hold the terminal until the browser has decided.
  function takeCopies(terminal, notice) {
    terminal.parser.registerOscHandler(COPY_COMMAND, (given) => {
      const [, text] = given.split(";");
      if (text && text !== "?") copy(text, notice);
      return true;
    });
  }

  async function copy(base64, notice) {
    try {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      await navigator.clipboard.writeText(new TextDecoder().decode(bytes));
    } catch (error) {
      tell(notice, `The browser did not let this be copied: ${error.message}`);
    }
  }

  // A word above the app that goes by itself.
  function tell(notice, text) {
    notice.textContent = text;
    document.body.classList.add("-told");
    setTimeout(() => document.body.classList.remove("-told"), TOLD_MS);
  }

  async function watchConnection(app, notice) {
    notice.textContent = "The connection is gone. Trying again …";
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      let answer;
      try {
        answer = await fetch(`/apps/${app}`, { cache: "no-store" });
      } catch {
        continue; // nobody answers yet
      }
      if (answer.status === 403) {
        notice.textContent = "The program was started again: open the address that it printed.";
        return;
      }
      if ((await answer.json()).state === "running") {
        location.reload();
        return;
      }
      document.body.classList.add("-ended");
      notice.textContent = "The session has ended. Reload the page to start another.";
      sessionStorage.removeItem(KEY);
      return;
    }
  }

  // Files dropped on the page go to the app of this tab, which reads them as it reads a path.
  async function sendFiles(app, files, notice) {
    const form = new FormData();
    for (const file of files) form.append("file", file, file.name);
    const answer = await fetch(`/apps/${app}/files`, { method: "POST", body: form });
    if (answer.ok) return;
    tell(notice, await answer.text());
  }

  function takeDroppedFiles(app, notice) {
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      const files = event.dataTransfer ? Array.from(event.dataTransfer.files) : [];
      if (files.length > 0) sendFiles(app, files, notice);
    });
  }

  document.addEventListener("DOMContentLoaded", async () => {
    const notice = document.getElementById("notice");
    const app = chooseApp();
    takeDroppedFiles(app, notice);
    window.addEventListener("focus", focusTerminal);
    document.addEventListener("visibilitychange", focusTerminal);
    new MutationObserver((_, observer) => {
      if (!document.body.classList.contains("-closed")) return;
      observer.disconnect();
      watchConnection(app, notice);
    }).observe(document.body, { attributeFilter: ["class"] });
    const build = window.onload; // of textual.js
    window.onload = null;
    const letters = ["", "bold "].map((style) => document.fonts.load(`${style}14px ${FONT}`));
    await Promise.allSettled(letters); // the terminal measures them
    const { sessionWebsocketUrl } = document.getElementById("terminal").dataset;
    startTerminal(takeClient(build), `${sessionWebsocketUrl}/${app}`, notice);
  });
})();
