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

  document.addEventListener("DOMContentLoaded", () => {
    const terminal = document.getElementById("terminal");
    const notice = document.getElementById("notice");
    const app = chooseApp();
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
