// The page around the terminal: keys work without a click, a reload returns to the same app,
// and a lost connection is said and mended.
"use strict";
(() => {
  const KEY = "ptacl-app";
  const RETRY_MS = 1000;

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
    return keyboard !== null;
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

  // A download needs no new window, which a browser may refuse to open.
  function downloadInPlace() {
    const openWindow = window.open;
    window.open = (address, ...rest) => {
      if (!String(address).startsWith(`${location.origin}/download/`)) {
        return openWindow.call(window, address, ...rest);
      }
      const link = document.createElement("a");
      link.href = address;
      link.download = "";
      link.click();
      return null;
    };
  }

  // Files dropped on the page go to the app of this tab, which reads them as it reads a path.
  async function sendFiles(app, files, notice) {
    const form = new FormData();
    for (const file of files) form.append("file", file, file.name);
    const answer = await fetch(`/apps/${app}/files`, { method: "POST", body: form });
    if (answer.ok) return;
    notice.textContent = await answer.text();
    document.body.classList.add("-told");
    setTimeout(() => document.body.classList.remove("-told"), 6000);
  }

  function takeDroppedFiles(app, notice) {
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      const files = event.dataTransfer ? Array.from(event.dataTransfer.files) : [];
      if (files.length > 0) sendFiles(app, files, notice);
    });
  }

  downloadInPlace();
  document.addEventListener("DOMContentLoaded", () => {
    const terminal = document.getElementById("terminal");
    const notice = document.getElementById("notice");
    const app = chooseApp();
    takeDroppedFiles(app, notice);
    terminal.dataset.sessionWebsocketUrl += `/${app}`;
    new MutationObserver((_, observer) => {
      if (focusTerminal()) observer.disconnect();
    }).observe(terminal, { childList: true, subtree: true });
    window.addEventListener("focus", focusTerminal);
    document.addEventListener("visibilitychange", focusTerminal);
    new MutationObserver((_, observer) => {
      if (!document.body.classList.contains("-closed")) return;
      observer.disconnect();
      watchConnection(app, notice);
    }).observe(document.body, { attributeFilter: ["class"] });
  });
})();
