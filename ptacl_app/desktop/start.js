// The start page: what was opened last, a path, the native dialogs, dropped files, an example.
"use strict";
document.addEventListener("DOMContentLoaded", async () => {
  const POLL_MS = 300;
  const fault = document.getElementById("fault");
  const busy = document.getElementById("busy");
  const path = document.getElementById("path");
  const hasDialogs = document.body.dataset.hasDialogs === "true";
  const after = new URLSearchParams(location.search).get("after");
  let first = after === null ? null : Number(after); // openings before the one that is awaited

  async function send(address, options = {}) {
    fault.textContent = "";
    const answer = await fetch(address, { method: "POST", ...options });
    if (!answer.ok) fault.textContent = await answer.text();
    else if (answer.status !== 204) await watch();
    return answer;
  }

  async function openCohort(folder) {
    const answer = await send("/open", {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ cohort: folder }),
    });
    if (answer.ok) location.assign("/");
  }

  function sendFiles(files) {
    const form = new FormData();
    for (const file of files) form.append("file", file, file.name);
    return send("/open/files", { body: form });
  }

  async function readState() {
    const state = await (await fetch("/state", { cache: "no-store" })).json();
    first ??= state.number;
    busy.textContent = state.busy ?? "";
    if (state.fault) fault.textContent = state.fault;
    for (const button of document.querySelectorAll("button")) button.disabled = !!state.busy;
    return state;
  }

  // Until what is being opened is there.
  async function watch() {
    for (;;) {
      const state = await readState();
      if (state.number > first) return location.assign("/");
      if (!state.busy) return undefined;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  document.getElementById("open").addEventListener("submit", (event) => {
    event.preventDefault();
    openCohort(path.value.trim());
  });
  document.getElementById("example").addEventListener("click", () => send("/open/example"));
  for (const button of document.querySelectorAll("[data-kind]")) {
    button.hidden = !hasDialogs;
    button.addEventListener("click", () => send(`/dialog/${button.dataset.kind}`));
  }
  const upload = document.getElementById("upload");
  const files = document.getElementById("files");
  upload.hidden = hasDialogs;
  upload.addEventListener("click", () => files.click());
  files.addEventListener("change", () => sendFiles(files.files));

  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("-over");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("-over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("-over");
    const items = Array.from(event.dataTransfer?.items ?? []);
    if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
      fault.textContent = "A folder cannot be dropped: open a cohort by its button or its path.";
    } else if (event.dataTransfer?.files.length) sendFiles(event.dataTransfer.files);
  });

  const state = await readState();
  for (const folder of state.cohorts) {
    const button = document.createElement("button");
    button.textContent = folder;
    button.disabled = !!state.busy;
    button.addEventListener("click", () => openCohort(folder));
    document.getElementById("recent").append(button);
  }
  const buttons = Array.from(document.querySelectorAll("#recent button, #choose button"));
  const usable = state.cohorts.length || hasDialogs ? buttons.find((one) => !one.hidden) : path;
  usable.focus();
  if (!hasDialogs) {
    window.addEventListener("pagehide", () => {
      const place = { width: outerWidth, height: outerHeight, x: screenX, y: screenY };
      navigator.sendBeacon("/place", JSON.stringify(place));
    });
  }
  if (state.busy || state.number > first) await watch();
});
